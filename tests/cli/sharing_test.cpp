// Several `bnlab reproduce` at work on one folder.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <set>

#include "bnlab/record/run_lease.h"
#include "tests/cli/program.h"

namespace bnlab {
namespace {

using ::testing::HasSubstr;
using testing::Program;
using testing::TempFolder;

std::vector<std::string> share(const std::filesystem::path& out, std::vector<std::string> more = {}) {
  std::vector<std::string> arguments = {"reproduce",      "--scale",   "smoke", "--data", "gaussian",  "--only",
                                        "santurkar-fig1", "--workers", "1",     "--out",  out.string()};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

std::map<std::string, std::string> rows_of_runs(const std::filesystem::path& out) {
  std::map<std::string, std::string> rows;
  for (const auto& run : std::filesystem::directory_iterator(out / "runs")) {
    rows[run.path().filename()] = RunReader(run.path()).dump_rows();
  }
  return rows;
}

Json claims_of(const std::filesystem::path& out) {
  return Json::parse(read_file(out / "report.json"))["claims"];
}

/// How many runs have been taken, and how often in all.
std::pair<int64_t, int64_t> takings(const std::filesystem::path& out) {
  std::pair<int64_t, int64_t> count;
  if (!exists(out / "runs")) return count;
  for (const auto& run : std::filesystem::directory_iterator(out / "runs")) {
    if (const auto lease = read_lease(lease_of(run.path()))) ++count.first, count.second += lease->generation;
  }
  return count;
}

void wait_for_takings(const std::filesystem::path& out, int64_t runs) {
  for (int i = 0; i < 12'000 && takings(out).first < runs; ++i) testing::sleep_ms(5);
  ASSERT_GE(takings(out).first, runs);
}

TEST(Sharing, TwoProcessesComputeEachRunOnceAndEndWithTheSameResults) {
  TempFolder alone, shared;
  ASSERT_EQ(Program(share(alone.path())).wait(), 0);
  Program first(share(shared.path())), second(share(shared.path()));
  EXPECT_EQ(first.wait(), 0);
  EXPECT_EQ(second.wait(), 0);
  const auto rows = rows_of_runs(alone.path());
  EXPECT_EQ(rows.size(), 13u);
  EXPECT_EQ(rows, rows_of_runs(shared.path()));
  EXPECT_EQ(claims_of(alone.path()), claims_of(shared.path()));
  EXPECT_EQ(takings(shared.path()), (std::pair<int64_t, int64_t>(13, 13)));
  std::set<int64_t> workers;
  for (const auto& run : std::filesystem::directory_iterator(shared / "runs")) {
    workers.insert(read_lease(lease_of(run.path()))->owner.pid);
  }
  EXPECT_EQ(workers.size(), 2u) << "one of them has done it all";
}

TEST(Sharing, WhenOneIsKilledTheOtherEndsEverything) {
  TempFolder alone, shared;
  ASSERT_EQ(Program(share(alone.path())).wait(), 0);
  Program killed(share(shared.path()));
  wait_for_takings(shared.path(), 2);
  Program other(share(shared.path()));
  wait_for_takings(shared.path(), 4);
  killed.signal(SIGKILL);
  killed.wait();
  EXPECT_EQ(other.wait(), 0) << other.err();
  EXPECT_EQ(rows_of_runs(alone.path()), rows_of_runs(shared.path()));
  EXPECT_EQ(claims_of(alone.path()), claims_of(shared.path()));
}

/// Replaces a lease that is held by one of a process elsewhere, which never beats. The run's folder, "" if none is
/// held.
std::filesystem::path take_over_for_nobody(const std::filesystem::path& out) {
  for (int i = 0; i < 12'000; ++i, testing::sleep_ms(5)) {
    if (!exists(out / "runs")) continue;
    for (const auto& run : std::filesystem::directory_iterator(out / "runs")) {
      const auto lease = read_lease(lease_of(run.path()));
      if (!lease || lease->released) continue;
      Json forged = Json::parse(read_file(lease_of(run.path())));
      forged["token"] = "forged";
      forged["host"] = "elsewhere";
      forged["generation"] = lease->generation + 1;
      std::string text = forged.dump();
      text.resize(1023, ' ');
      write_file_atomically(lease_of(run.path()), text + "\n");
      return run.path();
    }
  }
  return {};
}

TEST(Sharing, AWorkerThatHasLostItsRunEndsAndTheRunIsTakenBackWhenItIsAbandoned) {
  TempFolder alone, shared;
  ASSERT_EQ(Program(share(alone.path())).wait(), 0);
  Program program(share(shared.path(), {"--checkpoint-seconds", "0", "--patience", "6"}));
  const auto run = take_over_for_nobody(shared.path());
  ASSERT_NE(run, "");
  EXPECT_EQ(program.wait(), 0) << program.err();
  EXPECT_EQ(read_lease(lease_of(run))->generation, 3) << "it has not noticed";
  EXPECT_THAT(read_file(shared / "logs" / (run.filename().string() + ".log")), ::testing::Not(HasSubstr("damaged")));
  EXPECT_EQ(rows_of_runs(alone.path()), rows_of_runs(shared.path()));
}

TEST(Sharing, StatusSaysWhoIsAtWorkAndWhetherAllIsDone) {
  TempFolder shared;
  Program program(share(shared.path()));
  wait_for_takings(shared.path(), 3);
  Program status({"status", shared.path().string(), "--json", "--watch", "0"});
  EXPECT_EQ(status.wait(), 1);
  const Json during = Json::parse(status.out());
  EXPECT_EQ(during["runs"].size(), 13u);
  EXPECT_GE(during["done"].get<int>(), 1);
  EXPECT_GE(during["missing"].get<int>(), 1);
  for (const auto& run : during["runs"]) {
    if (run["state"] == "running") {
      EXPECT_GT(run["holder"]["pid"].get<int64_t>(), 0);
    }
  }
  ASSERT_EQ(program.wait(), 0);
  Program after({"status", shared.path().string()});
  EXPECT_EQ(after.wait(), 0);
  EXPECT_THAT(after.out(), HasSubstr("13 of 13 runs done"));
}

TEST(Slurm, WithoutSbatchOneSentenceSaysSo) {
  TempFolder out;
  const char* path = std::getenv("PATH");
  const std::string before = path == nullptr ? "" : path;
  setenv("PATH", "/nowhere", 1);
  Program program(share(out.path(), {"--executor", "slurm"}));
  const int status = program.wait();
  setenv("PATH", before.c_str(), 1);
  EXPECT_EQ(status, 1);
  EXPECT_THAT(program.err(), HasSubstr("there is no sbatch here"));
}

TEST(Sharing, AJoinerLeavesTheReportToOthers) {
  TempFolder shared;
  ASSERT_EQ(Program(share(shared.path(), {"--join"})).wait(), 0);
  EXPECT_EQ(rows_of_runs(shared.path()).size(), 13u);
  EXPECT_FALSE(std::filesystem::exists(shared / "report.json"));
  Program again(share(shared.path()));
  ASSERT_EQ(again.wait(), 0);
  EXPECT_THAT(again.err(), HasSubstr("13 runs, 13 already done"));
  EXPECT_EQ(takings(shared.path()), (std::pair<int64_t, int64_t>(13, 13)));
}

}  // namespace
}  // namespace bnlab
