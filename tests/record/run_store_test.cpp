#include "bnlab/record/run_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <fstream>

#include "tests/temp_folder.h"

namespace bnlab {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

RunSpec some_spec(int64_t seed = 0) {
  return AnalysisSpec{"none", Json::object(), {}, seed, 1};
}

class RunStoreTest : public ::testing::Test {
 protected:
  RunStoreTest() { create_run(folder_, some_spec()); }
  testing::TempFolder temp_;
  std::filesystem::path folder_ = temp_ / "run";
};

TEST_F(RunStoreTest, ValuesComeBackToTheBit) {
  {
    RunWriter writer(folder_, "f");
    writer.scalar(0, {"p", 1, "v"}, 0.1);
    writer.scalar(1, {"p", 1, "v"}, NAN);
    writer.scalar(2, {"p", 1, "v"}, -INFINITY);
    writer.scalar(0, {"p", 2, "v"}, 7);
    writer.array(3, {"p", 1, "a"}, std::vector<float>{1.5f, -2.5f}, {2, 1});
    writer.array(3, {"p", 1, "b"}, std::vector<int64_t>{1, 2, 3});
    writer.finish(4, "state", -1);
  }
  RunReader reader(folder_);
  EXPECT_EQ(reader.state(), RunState::kFinished);
  const Series series = reader.scalars({"p", 1, "v"});
  EXPECT_THAT(series.steps, ElementsAre(0, 1, 2));
  EXPECT_EQ(series.values[0], 0.1);
  EXPECT_TRUE(std::isnan(series.values[1]));
  EXPECT_EQ(series.values[2], -INFINITY);
  EXPECT_EQ(reader.scalar_at({"p", 2, "v"}, 0), 7);
  EXPECT_EQ(reader.scalar_at({"p", 2, "v"}, 1), std::nullopt);
  const auto arrays = reader.arrays({"p", 1, "a"});
  ASSERT_EQ(arrays.size(), 1u);
  EXPECT_THAT(arrays[0].as_doubles(), ElementsAre(1.5, -2.5));
  EXPECT_THAT(arrays[0].shape, ElementsAre(2, 1));
  EXPECT_THAT(reader.arrays({"p", 1, "b"})[0].as_doubles(), ElementsAre(1, 2, 3));
}

TEST_F(RunStoreTest, ResumeDropsWhatLiesBeyondTheCheckpoint) {
  {
    RunWriter writer(folder_, "f");
    EXPECT_FALSE(writer.resume_from());
    writer.scalar(0, {"p", 0, "v"}, 1);
    writer.trajectory_frame(0, {1, 2});
    writer.checkpoint(1, "at one");
    writer.scalar(1, {"p", 0, "v"}, 2);
    writer.trajectory_frame(1, {3, 4});
    writer.commit();
  }
  EXPECT_THAT(RunReader(folder_).scalars({"p", 0, "v"}).steps, ElementsAre(0, 1));
  RunWriter writer(folder_, "f");
  EXPECT_EQ(writer.resume_from(), "at one");
  EXPECT_THAT(RunReader(folder_).scalars({"p", 0, "v"}).steps, ElementsAre(0));
  EXPECT_THAT(read_trajectory(RunPaths{folder_}.trajectory()).steps, ElementsAre(0));
  writer.trajectory_frame(1, {5, 6});
  writer.finish(2, "end", -1);
  const Trajectory trajectory = read_trajectory(RunPaths{folder_}.trajectory());
  EXPECT_THAT(trajectory.steps, ElementsAre(0, 1));
  EXPECT_THAT(trajectory.frames[1], ElementsAre(5, 6));
}

TEST_F(RunStoreTest, NothingIsResumedWithoutACheckpoint) {
  {
    RunWriter writer(folder_, "f");
    writer.scalar(0, {"p", 0, "v"}, 1);
    writer.commit();
  }
  RunWriter writer(folder_, "f");
  EXPECT_FALSE(writer.resume_from());
  EXPECT_EQ(RunReader(folder_).dump_rows(), "");
}

TEST_F(RunStoreTest, DivergenceIsKept) {
  RunWriter(folder_, "f").finish(5, "x", 5);
  RunReader reader(folder_);
  EXPECT_EQ(reader.state(), RunState::kDiverged);
  EXPECT_EQ(reader.diverged_at(), 5);
  EXPECT_TRUE(RunWriter(folder_, "f").finished());
}

TEST_F(RunStoreTest, OneWriterAtATime) {
  RunWriter first(folder_, "f");
  try {
    RunWriter second(folder_, "f");
    FAIL() << "two writers";
  } catch (const StoreError& error) {
    EXPECT_THAT(error.what(), HasSubstr("another process"));
  }
}

TEST_F(RunStoreTest, ADamagedCheckpointIsRefused) {
  RunWriter(folder_, "f").checkpoint(1, "right");
  std::ofstream(RunPaths{folder_}.checkpoint()) << "wrong";
  EXPECT_THROW(RunWriter(folder_, "f"), StoreError);
  std::filesystem::remove(RunPaths{folder_}.checkpoint());
  EXPECT_THROW(RunWriter(folder_, "f"), StoreError);
}

TEST_F(RunStoreTest, AnotherRunsCheckpointIsRefused) {
  RunWriter(folder_, "f").checkpoint(1, "mine");
  create_run(temp_ / "other", some_spec(1));
  RunWriter(temp_ / "other", "f").checkpoint(1, "theirs");
  std::filesystem::copy_file(RunPaths{temp_ / "other"}.checkpoint(), RunPaths{folder_}.checkpoint(),
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_THROW(RunWriter(folder_, "f"), StoreError);
}

TEST_F(RunStoreTest, ResumingElsewhereWarns) {
  RunWriter(folder_, "machine A").checkpoint(1, "x");
  EXPECT_THAT(RunWriter(folder_, "machine B").warning(), HasSubstr("machine A"));
  EXPECT_EQ(RunWriter(folder_, "machine A").warning(), "");
}

TEST_F(RunStoreTest, AFolderOfAnotherSpecIsRefused) {
  EXPECT_THROW(create_run(folder_, some_spec(1)), StoreError);
}

// A toy run whose state at step t is a text of t letters; one row a step.
constexpr int64_t kSteps = 6;
void toy_run(const std::filesystem::path& folder, const WriteHook& hook) {
  RunWriter writer(folder, "f", hook);
  if (writer.finished()) return;
  std::string state = writer.resume_from().value_or("");
  while (static_cast<int64_t>(state.size()) < kSteps) {
    const auto step = static_cast<int64_t>(state.size());
    state += static_cast<char>('a' + step);
    writer.scalar(step, {"toy", 0, "v"}, static_cast<double>(step * step));
    writer.trajectory_frame(step, {static_cast<float>(step)});
    if (step + 1 < kSteps) writer.checkpoint(step + 1, state);
  }
  writer.finish(kSteps, state, -1);
}

/// Runs toy_run in a child that kills itself the `nth` time it comes to `phase`; true if it was killed.
bool killed_at(const std::filesystem::path& folder, WritePhase phase, int nth) {
  const pid_t child = fork();
  if (child == 0) {
    int seen = 0;
    toy_run(folder, [&](WritePhase reached) {
      if (reached == phase && ++seen == nth) raise(SIGKILL);
    });
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status);
}

TEST_F(RunStoreTest, KilledInsideAnyCheckpointWriteItEndsWithTheSameRecords) {
  toy_run(folder_, {});
  const std::string expected_rows = RunReader(folder_).dump_rows();
  const std::string expected_path = read_file(RunPaths{folder_}.trajectory());
  int kills = 0;
  for (const WritePhase phase : {WritePhase::kHalfWritten, WritePhase::kWritten, WritePhase::kRenamed}) {
    for (int nth = 1; nth <= static_cast<int>(kSteps); ++nth) {
      const auto folder = temp_ / ("killed" + std::to_string(static_cast<int>(phase)) + std::to_string(nth));
      create_run(folder, some_spec());
      // A kill at the first chance makes no headway, so the number of attempts is bounded.
      for (int attempt = 0; attempt < 2 * kSteps && killed_at(folder, phase, nth); ++attempt) ++kills;
      toy_run(folder, {});
      EXPECT_EQ(RunReader(folder).dump_rows(), expected_rows) << nth;
      EXPECT_EQ(read_file(RunPaths{folder}.checkpoint()), "abcdef");
      EXPECT_EQ(read_file(RunPaths{folder}.trajectory()), expected_path);
    }
  }
  EXPECT_GE(kills, 18);
}

TEST(WriteFileAtomically, AFailureLeavesTheOldFile) {
  testing::TempFolder temp;
  const auto file = temp / "file";
  write_file_atomically(file, "old");
  std::filesystem::create_directory(temp / "file.new");  // the new file cannot be opened
  EXPECT_THROW(write_file_atomically(file, "new"), FileError);
  EXPECT_EQ(read_file(file), "old");
}

}  // namespace
}  // namespace bnlab
