// What a user types, and what comes of it.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <cstdlib>
#include <map>
#include <set>

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

std::vector<std::filesystem::path> run_folders(const std::filesystem::path& out) {
  std::vector<std::filesystem::path> folders;
  if (!exists(out / "runs")) return folders;
  for (const auto& run : std::filesystem::directory_iterator(out / "runs")) folders.push_back(run.path());
  return folders;
}

/// A run's work begins with its lock: not a time but this tells that a program is in the middle of its runs.
void wait_for_a_run(const std::filesystem::path& out) {
  const auto begun = [&] {
    for (const auto& run : run_folders(out)) {
      if (exists(RunPaths{run}.lock())) return true;
    }
    return false;
  };
  for (int i = 0; i < 12'000 && !begun(); ++i) testing::sleep_ms(5);
  ASSERT_TRUE(begun()) << "no run began within a minute";
}

/// Folders of runs that have a checkpoint and are not at their end.
std::vector<std::filesystem::path> stopped_runs(const std::filesystem::path& out) {
  std::vector<std::filesystem::path> stopped;
  for (const auto& run : run_folders(out)) {
    if (exists(RunPaths{run}.checkpoint()) && run_state(run) == RunState::kUnfinished) stopped.push_back(run);
  }
  return stopped;
}

void wait_for_workers(const std::filesystem::path& out) {
  for (const auto& run : run_folders(out)) {
    const int lock = open(RunPaths{run}.lock().c_str(), O_RDONLY);
    flock(lock, LOCK_EX);  // as long as a worker writes this run
    close(lock);
  }
}

TEST(Reproduce, OneAndTwoWorkersStoppedOrNotGiveTheSameRecordsAndNothingIsComputedTwice) {
  TempFolder one, two;
  ASSERT_EQ(Program(smoke_into(one.path(), {"--workers", "1", "--seeds", "2"})).wait(), 0);

  Program interrupted(smoke_into(two.path(), {"--workers", "2", "--seeds", "2"}));
  wait_for_a_run(two.path());
  interrupted.signal(SIGINT);
  EXPECT_EQ(interrupted.wait(), 130);
  EXPECT_THAT(interrupted.out(), HasSubstr("the same command goes on"));
  EXPECT_TRUE(std::filesystem::exists(two / "report.html"));
  ASSERT_EQ(Program(smoke_into(two.path(), {"--workers", "2", "--seeds", "2"})).wait(), 0);

  const auto rows = all_rows(one.path());
  EXPECT_EQ(rows.size(), 26u);
  EXPECT_EQ(rows, all_rows(two.path()));

  std::map<std::string, std::filesystem::file_time_type> written;
  for (const auto& [id, ignored] : rows) written[id] = last_write_time(RunPaths{one.path() / "runs" / id}.checkpoint());
  Program again(smoke_into(one.path(), {"--json", "--seeds", "2"}));
  ASSERT_EQ(again.wait(), 0);
  EXPECT_THAT(again.err(), HasSubstr("26 runs, 26 already done"));
  for (const auto& [id, time] : written)
    EXPECT_EQ(last_write_time(RunPaths{one.path() / "runs" / id}.checkpoint()), time);

  const Json report = Json::parse(again.out());
  EXPECT_EQ(report["schema_version"], 2);
  EXPECT_EQ(report["state"], "complete");
  EXPECT_EQ(report["claims"].size(), 13u);
  EXPECT_EQ(report["figures"].size(), 5u);
  EXPECT_EQ(report, Json::parse(read_file(one / "report.json")));
}

TEST(Reproduce, ALauncherKilledOutrightTakesNoCheckpointAlong) {
  TempFolder whole, out;
  ASSERT_EQ(Program(smoke_into(whole.path())).wait(), 0);
  const std::vector<std::string> only_at_the_end = {"--workers", "1", "--checkpoint-seconds", "1000"};
  std::vector<std::filesystem::path> stopped;
  for (int attempt = 0; attempt < 40 && stopped.empty(); ++attempt) {  // it may die before a step, or between two runs
    std::filesystem::remove_all(out / "runs");
    Program program(smoke_into(out.path(), only_at_the_end));
    wait_for_a_run(out.path());
    testing::sleep_ms(400 + 60 * attempt);
    program.signal(SIGKILL);
    program.wait();
    testing::sleep_ms(300);
    wait_for_workers(out.path());
    stopped = stopped_runs(out.path());
    if (!stopped.empty() && RunReader(stopped.front()).dump_rows().empty()) stopped.clear();  // not a step yet
  }
  ASSERT_EQ(stopped.size(), 1u) << "the worker wrote no checkpoint";
  const std::string rows = RunReader(stopped.front()).dump_rows();
  { RunWriter resumed(stopped.front(), "another"); }  // drops what lies beyond the checkpoint
  EXPECT_EQ(RunReader(stopped.front()).dump_rows(), rows) << "the checkpoint is not of the last step";

  // Nobody reads what the worker says: no reason to die.
  const std::string worker = std::string(BNLAB_PROGRAM) + " worker " + out.path().string() + " --data gaussian";
  std::system(("echo " + stopped.front().filename().string() + " | " + worker + " | true").c_str());
  EXPECT_EQ(run_state(stopped.front()), RunState::kFinished);

  ASSERT_EQ(Program(smoke_into(out.path())).wait(), 0);
  EXPECT_EQ(all_rows(out.path()), all_rows(whole.path()));
}

TEST(Reproduce, CtrlCTwiceEndsAtOnce) {
  TempFolder out;
  Program program(smoke_into(out.path(), {"--seeds", "5"}));
  wait_for_a_run(out.path());
  program.signal(SIGINT);
  program.signal(SIGTERM);
  EXPECT_LT(program.wait(), 0) << "it went on to its report";
}

TEST(Reproduce, AReportThatCannotBeWrittenEndsNoRun) {
  TempFolder out;
  std::filesystem::create_directories(out / "report.html" / "in the way");
  Program program(smoke_into(out.path()));
  EXPECT_EQ(program.wait(), 1);
  EXPECT_THAT(program.err(), HasSubstr("no report yet"));
  EXPECT_THAT(program.err(), HasSubstr("report.html"));
  EXPECT_EQ(all_rows(out.path()).size(), 13u);
  for (const auto& run : std::filesystem::directory_iterator(out / "runs")) {
    EXPECT_EQ(run_state(run.path()), RunState::kFinished);
  }
  std::filesystem::remove_all(out / "report.html");
  EXPECT_EQ(Program(smoke_into(out.path())).wait(), 0);
}

TEST(Reproduce, PilotSeedsAreOtherRuns) {
  TempFolder out;
  std::vector<std::string> arguments = smoke_into(out.path(), {"--first-seed", "1000", "--seeds", "2"});
  arguments[6] = "dln-ics";
  ASSERT_EQ(Program(arguments).wait(), 0);
  std::set<int64_t> seeds;
  for (const auto& run : std::filesystem::directory_iterator(out / "runs")) {
    const RunSpec spec = RunReader(run.path()).spec();
    if (const auto* train = std::get_if<TrainSpec>(&spec)) seeds.insert(train->seed);
  }
  EXPECT_EQ(seeds, (std::set<int64_t>{1000, 1001}));
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
        Wrong{{"reproduce", "--only", "nothing-like-it"}, 2, "known: scaling, affine"},
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
      {}, {"reproduce"}, {"list"}, {"train"}, {"report"}, {"status"}, {"data"}, {"data", "list"}, {"data", "check"}};
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
    EXPECT_GE(experiment["scales"]["quick"]["core_seconds"].get<double>(), 0);
    EXPECT_EQ(experiment["state"]["quick"], "not run");
  }
}

}  // namespace
}  // namespace bnlab
