// `bnlab train` by several processes of this machine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "bnlab/record/run_store.h"
#include "tests/cli/program.h"

namespace bnlab {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::Program;
using testing::TempFolder;

std::vector<std::string> train(const std::filesystem::path& out, const std::vector<std::string>& more,
                               const std::string& steps = "60") {
  std::vector<std::string> arguments = {
      "train",    "--data",  "gaussian", "--model", "mlp",        "--model-option",
      "width=16", "--norm",  "batch",    "--batch", "24",         "--lr",
      "0.02",     "--steps", steps,      "--out",   out.string(), "--checkpoint-seconds",
      "0"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

std::filesystem::path only_run(const std::filesystem::path& out) {
  std::vector<std::filesystem::path> runs;
  for (const auto& run : std::filesystem::directory_iterator(out / "runs")) runs.push_back(run.path());
  EXPECT_EQ(runs.size(), 1u);
  return runs.at(0);
}

/// When the run last stored a checkpoint; the beginning of time if it never has.
std::filesystem::file_time_type checkpointed(const std::filesystem::path& out) {
  if (!exists(out / "runs")) return {};
  for (const auto& run : std::filesystem::directory_iterator(out / "runs")) {
    std::error_code error;
    const auto time = last_write_time(RunPaths{run.path()}.checkpoint(), error);
    if (!error) return time;
  }
  return {};
}

TEST(RanksProgram, TwoProcessesTrainAsOneDoes) {
  TempFolder alone, shared;
  ASSERT_EQ(Program(train(alone.path(), {})).wait(), 0);
  Program program(train(shared.path(), {"--ranks", "2", "--probe", "accuracy:every=20"}));
  ASSERT_EQ(program.wait(), 0) << program.err();
  EXPECT_THAT(program.out(), HasSubstr("test accuracy"));
  const Series one = RunReader(only_run(alone.path())).scalars({"train", 0, "loss"}),
               two = RunReader(only_run(shared.path())).scalars({"train", 0, "loss"});
  ASSERT_EQ(two.values.size(), one.values.size());
  for (size_t step = 0; step < 4; ++step) EXPECT_NEAR(two.values[step], one.values[step], 1e-4 * one.values[step]);
  EXPECT_NE(only_run(alone.path()).filename(), only_run(shared.path()).filename());
}

TEST(RanksProgram, StoppedByCtrlCItGoesOnToTheSameBits) {
  TempFolder whole, pieces;
  ASSERT_EQ(Program(train(whole.path(), {"--ranks", "2"}, "300")).wait(), 0);
  int stops = 0;
  for (; stops < 2; ++stops) {
    const auto before = checkpointed(pieces.path());
    Program program(train(pieces.path(), {"--ranks", "2"}, "300"));
    for (int i = 0; i < 12'000 && checkpointed(pieces.path()) == before; ++i) testing::sleep_ms(5);
    program.signal(SIGINT);
    const int status = program.wait();
    if (status == 0) break;
    EXPECT_EQ(status, 130) << program.err();
    EXPECT_THAT(program.err(), HasSubstr("the same command goes on"));
    EXPECT_THAT(program.err(), Not(HasSubstr("ended")));
  }
  EXPECT_GE(stops, 1);
  Program last(train(pieces.path(), {"--ranks", "2"}, "300"));
  ASSERT_EQ(last.wait(), 0) << last.err();
  EXPECT_EQ(RunReader(only_run(pieces.path())).dump_rows(), RunReader(only_run(whole.path())).dump_rows());
}

TEST(RanksProgram, WhatSeveralRanksCannotDoIsRefusedInOneSentence) {
  TempFolder out;
  const auto refusal = [&](const std::vector<std::string>& more) {
    Program program(train(out.path(), more));
    EXPECT_EQ(program.wait(), 2) << program.err();
    const std::string said = program.err();
    EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
    return said;
  };
  EXPECT_THAT(refusal({"--ranks", "2", "--probe", "landscape:every=1"}), HasSubstr("looks at the batch of a step"));
  EXPECT_THAT(refusal({"--ranks", "25"}), HasSubstr("batch: expected an example for each of the 25 ranks, got 24"));
  EXPECT_THAT(refusal({"--ranks", "0"}), HasSubstr("--ranks: expected 1 to 1024"));
  EXPECT_THAT(refusal({"--ranks", "2", "--rank-statistics", "both"}), HasSubstr("synchronized or local"));
}

}  // namespace
}  // namespace bnlab
