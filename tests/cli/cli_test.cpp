// What a user types, and what comes of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "bnlab/record/run_store.h"
#include "tests/cli/program.h"

namespace bnlab {
namespace {

using ::testing::HasSubstr;
using testing::Program;
using testing::TempFolder;

std::vector<std::string> smoke_into(const std::filesystem::path& out, std::vector<std::string> more = {}) {
  std::vector<std::string> arguments = {"reproduce", "--scale",        "smoke", "--data",    "gaussian",
                                        "--only",    "santurkar-fig1", "--out", out.string()};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

std::map<std::string, std::string> all_rows(const std::filesystem::path& out) {
  std::map<std::string, std::string> rows;
  for (const auto& run : std::filesystem::directory_iterator(out / "runs")) {
    rows[run.path().filename()] = RunReader(run.path()).dump_rows();
  }
  return rows;
}

TEST(Reproduce, OneAndTwoWorkersStoppedOrNotGiveTheSameRecordsAndNothingIsComputedTwice) {
  TempFolder one, two;
  ASSERT_EQ(Program(smoke_into(one.path(), {"--workers", "1"})).wait(), 0);

  Program interrupted(smoke_into(two.path(), {"--workers", "2"}));
  testing::sleep_ms(4000);
  interrupted.signal(SIGINT);
  EXPECT_EQ(interrupted.wait(), 130);
  EXPECT_THAT(interrupted.out(), HasSubstr("the same command goes on"));
  EXPECT_TRUE(std::filesystem::exists(two / "report.html"));
  ASSERT_EQ(Program(smoke_into(two.path(), {"--workers", "2"})).wait(), 0);

  const auto rows = all_rows(one.path());
  EXPECT_EQ(rows.size(), 39u);
  EXPECT_EQ(rows, all_rows(two.path()));

  std::map<std::string, std::filesystem::file_time_type> written;
  for (const auto& [id, ignored] : rows) written[id] = last_write_time(RunPaths{one.path() / "runs" / id}.checkpoint());
  Program again(smoke_into(one.path(), {"--json"}));
  ASSERT_EQ(again.wait(), 0);
  EXPECT_THAT(again.err(), HasSubstr("39 runs, 39 already done"));
  for (const auto& [id, time] : written)
    EXPECT_EQ(last_write_time(RunPaths{one.path() / "runs" / id}.checkpoint()), time);

  const Json report = Json::parse(again.out());
  EXPECT_EQ(report["schema_version"], 1);
  EXPECT_EQ(report["state"], "complete");
  EXPECT_EQ(report["claims"].size(), 10u);
  EXPECT_EQ(report["figures"].size(), 5u);
  EXPECT_EQ(report, Json::parse(read_file(one / "report.json")));
}

TEST(Reproduce, ADamagedCheckpointFailsThatRunAloneAndForceRepairsIt) {
  TempFolder out;
  const std::vector<std::string> few = {"--seeds", "1"};
  ASSERT_EQ(Program(smoke_into(out.path(), few)).wait(), 0);
  const auto runs = out.path() / "runs";
  const std::string id = all_rows(out.path()).begin()->first;
  std::filesystem::remove(runs / id / "run.sqlite");  // as after a disk fault: a checkpoint without its record
  Program damaged(smoke_into(out.path(), few));
  EXPECT_EQ(damaged.wait(), 1);
  EXPECT_THAT(damaged.err(), HasSubstr("--force"));
  EXPECT_THAT(damaged.err(), HasSubstr(id));
  EXPECT_EQ(Program(smoke_into(out.path(), {"--seeds", "1", "--force"})).wait(), 0);
}

TEST(Train, TheDefaultProbesOfASpecFileAreThoseOfTheFlag) {
  const std::vector<std::string> flags = {"train", "--data", "gaussian", "--print-spec"};
  const auto printed = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), flags.begin(), flags.end());
    Program program(arguments);
    EXPECT_EQ(program.wait(), 0) << program.err();
    return Json::parse(program.out());
  };
  TempFolder folder;
  const Json plain = printed({}), probed = printed({"--probe", "default"});
  ASSERT_EQ(probed["probes"].size(), 2u);
  for (const Json& probes : {Json("default"), Json::array({"default"})}) {
    Json spec = plain;
    spec["probes"] = probes;
    write_file_atomically(folder / "spec.json", spec.dump());
    EXPECT_EQ(printed({"--spec", (folder / "spec.json").string()}), probed);
  }
}

struct Wrong {
  std::vector<std::string> arguments;
  int status;
  const char* says;
};
void PrintTo(const Wrong& wrong, std::ostream* out) {
  for (const auto& argument : wrong.arguments) *out << argument << ' ';
}

class WrongUse : public ::testing::TestWithParam<Wrong> {};

TEST_P(WrongUse, OneClearSentenceAndTheRightStatus) {
  Program program(GetParam().arguments);
  EXPECT_EQ(program.wait(), GetParam().status);
  EXPECT_THAT(program.err() + program.out(), HasSubstr(GetParam().says));
  EXPECT_EQ(program.err().find("terminate"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(
    All, WrongUse,
    ::testing::Values(
        Wrong{{}, 2, "subcommand"}, Wrong{{"repoduce"}, 2, "did you mean \"reproduce\"?"},
        Wrong{{"reproduce", "--only", "nothing-like-it"}, 2, "known: santurkar-fig1"},
        Wrong{{"reproduce", "--scale", "huge"}, 2, "smoke"}, Wrong{{"reproduce", "--seeds", "0"}, 2, "--seeds"},
        Wrong{{"reproduce", "--data", "imagenet"}, 1, "fashion-mnist"},
        Wrong{{"reproduce", "--data", "cifar10:/no/such/folder"}, 1, "/no/such/folder"},
        Wrong{{"reproduce", "--data", "gaussian", "--scale", "smoke", "--out", "/proc/nowhere"}, 1, "/proc/nowhere"},
        Wrong{{"train", "--data", "gaussian", "--lr", "-1"}, 2, "--lr: expected a number above 0, got -1"},
        Wrong{{"train", "--data", "gaussian", "--model", "vgg12"}, 2, "vgg11"},
        Wrong{{"train", "--data", "gaussian", "--probe", "activations:layers=[99]"}, 2, "layers from 1 to 8"},
        Wrong{{"train", "--data", "gaussian", "--probe-budget", "lots"}, 2, "expected a percentage above 0"},
        Wrong{{"reproduce", "--probe-budget", "-3%"}, 2, "expected a percentage above 0"},
        Wrong{{"train", "--data", "gaussian", "--norm-option", "eps"}, 2, "NAME=VALUE"},
        Wrong{{"report", "/tmp"}, 1, "request.json"}, Wrong{{"data", "check", "nope"}, 1, "nope"}));

TEST(Help, EveryCommandHasOneWithAnExample) {
  const std::vector<std::vector<std::string>> commands = {
      {}, {"reproduce"}, {"list"}, {"train"}, {"report"}, {"data"}, {"data", "list"}, {"data", "check"}};
  for (const auto& command : commands) {
    std::vector<std::string> arguments = command;
    arguments.push_back("--help");
    Program program(arguments);
    EXPECT_EQ(program.wait(), 0);
    EXPECT_THAT(program.out(), HasSubstr("Example"));
  }
}

TEST(List, JsonHasWhatProgramsRelyOn) {
  TempFolder out;
  Program program({"list", "--json", "--out", out.path().string()});
  ASSERT_EQ(program.wait(), 0);
  const Json list = Json::parse(program.out());
  ASSERT_FALSE(list.empty());
  for (const auto& experiment : list) {
    for (const char* key : {"name", "rows", "source", "figure", "question", "scales", "state"}) {
      EXPECT_TRUE(experiment.contains(key)) << key;
    }
    EXPECT_GT(experiment["scales"]["quick"]["estimated_seconds"].get<double>(), 0);
    EXPECT_EQ(experiment["state"]["quick"], "not run");
  }
}

}  // namespace
}  // namespace bnlab
