#include "bnlab/record/run_store.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <set>
#include <thread>

#include "tests/kill.h"
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

/// What opening the run for writing is refused with; "" if it is not.
std::string refusal(const std::filesystem::path& folder) {
  try {
    RunWriter writer(folder, "f");
    return "";
  } catch (const StoreError& error) {
    return error.what();
  }
}

/// Another process that is at work on a run for as long as this object lives.
class OtherWriter {
 public:
  explicit OtherWriter(const std::filesystem::path& folder) {
    int ready[2], end[2];
    if (pipe(ready) != 0 || pipe(end) != 0) throw std::runtime_error("no pipe");
    child_ = fork();
    char byte = 0;
    if (child_ == 0) {
      close(end[1]);
      RunWriter writer(folder, "f");
      if (write(ready[1], "r", 1) != 1 || read(end[0], &byte, 1) != 0) _exit(1);
      _exit(0);
    }
    close(ready[1]);
    close(end[0]);
    if (read(ready[0], &byte, 1) != 1) throw std::runtime_error("the other process did not open the run");
    close(ready[0]);
    end_ = end[1];
  }
  ~OtherWriter() {
    close(end_);
    waitpid(child_, nullptr, 0);
  }

 private:
  pid_t child_;
  int end_;
};

TEST_F(RunStoreTest, OneWriterAtATime) {
  {
    OtherWriter other(folder_);
    EXPECT_THAT(refusal(folder_), HasSubstr("another process"));
    EXPECT_THROW(remove_run(folder_), StoreError);
    create_run(folder_, some_spec());  // is there already, whoever works on it
  }
  EXPECT_EQ(refusal(folder_), "");
  remove_run(folder_);
  EXPECT_FALSE(std::filesystem::exists(folder_));
  remove_run(folder_);
}

TEST_F(RunStoreTest, ALockThatCannotBeTakenIsNoOtherProcess) {
  std::filesystem::remove(RunPaths{folder_}.lock());
  std::filesystem::create_directory(RunPaths{folder_}.lock());
  try {
    RunWriter writer(folder_, "f");
    FAIL();
  } catch (const FileError& error) {
    EXPECT_THAT(error.what(), HasSubstr("lock: cannot lock it"));
  }
}

TEST_F(RunStoreTest, ADamagedCheckpointIsRefusedAndNothingStaysLocked) {
  RunWriter(folder_, "f").checkpoint(1, "right");
  write_file_atomically(RunPaths{folder_}.checkpoint(), "wrong");
  EXPECT_THAT(refusal(folder_), HasSubstr("is damaged"));
  std::filesystem::remove(RunPaths{folder_}.checkpoint());
  EXPECT_THAT(refusal(folder_), HasSubstr("is gone"));
  write_file_atomically(RunPaths{folder_}.checkpoint(), "right");
  EXPECT_EQ(refusal(folder_), "");
}

TEST_F(RunStoreTest, AShortTrajectoryIsRefused) {
  {
    RunWriter writer(folder_, "f");
    writer.trajectory_frame(0, {1, 2});
    writer.checkpoint(1, "x");
  }
  const auto trajectory = RunPaths{folder_}.trajectory();
  cut_file(trajectory, size_of_file(trajectory) - 1);
  EXPECT_THAT(refusal(folder_), HasSubstr("trajectory.bin: has 31 bytes where run.sqlite knows of 32"));
  std::filesystem::remove(trajectory);
  EXPECT_THAT(refusal(folder_), HasSubstr("has 0 bytes"));
}

TEST_F(RunStoreTest, ADamagedRunIsNeitherUnfinishedNorEnded) {
  RunWriter(folder_, "f").finish(1, "x", -1);
  EXPECT_TRUE(run_ended(folder_));
  write_file_atomically(RunPaths{folder_}.database(), "no database");
  EXPECT_THROW(run_state(folder_), DatabaseError);
  EXPECT_FALSE(run_ended(folder_));
  write_file_atomically(RunPaths{folder_}.spec(), "{");
  EXPECT_THROW(run_state(folder_), StoreError);
  EXPECT_THROW(RunWriter(folder_, "f"), StoreError);
}

TEST_F(RunStoreTest, ADatabaseWithoutTablesIsUnfinished) {
  write_file_atomically(RunPaths{folder_}.database(), "");  // as a kill right after its creation leaves it
  EXPECT_EQ(run_state(folder_), RunState::kUnfinished);
  EXPECT_EQ(refusal(folder_), "");
}

TEST_F(RunStoreTest, ARunOfAnOlderVersionGoesOn) {
  {
    RunWriter writer(folder_, "f");
    writer.scalar(0, {"p", 0, "v"}, 1);
    writer.checkpoint(1, "x");
  }
  Database(RunPaths{folder_}.database(), Database::Mode::kReadWrite)
      .execute("DROP TABLE ends; DELETE FROM meta WHERE key = 'cpu_seconds'");
  EXPECT_EQ(RunReader(folder_).cpu_seconds(), std::nullopt);
  {
    RunWriter writer(folder_, "f");
    EXPECT_EQ(writer.resume_from(), "x");
    writer.finish(2, "y", -1);
  }
  EXPECT_EQ(run_state(folder_), RunState::kFinished);
  EXPECT_THAT(RunReader(folder_).scalars({"p", 0, "v"}).steps, ElementsAre(0));
}

TEST_F(RunStoreTest, CostIsProcessorTimeAddedUpOverResumptions) {
  const auto work = [](double seconds) {
    for (const double end = cpu_seconds() + seconds; cpu_seconds() < end;) {
    }
  };
  work(0.3);  // before the run: not its cost
  {
    RunWriter writer(folder_, "f");
    work(0.05);
    writer.checkpoint(1, "x");
  }
  {
    RunWriter writer(folder_, "f");
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    work(0.05);
    writer.finish(2, "y", -1);
  }
  RunReader reader(folder_);
  EXPECT_GT(reader.cpu_seconds(), 0.099);
  EXPECT_LT(reader.cpu_seconds(), 0.25);
  EXPECT_GT(reader.seconds(), 0.399);
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

TEST_F(RunStoreTest, ManyProcessesMayCreateARunAtOnce) {
  const auto folder = temp_ / "new";
  std::vector<pid_t> children;
  for (int i = 0; i < 8; ++i) {
    children.push_back(fork());
    if (children.back() != 0) continue;
    try {
      create_run(folder, some_spec());
    } catch (const std::exception&) {
      _exit(1);
    }
    _exit(0);
  }
  for (const pid_t child : children) {
    int status = -1;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(run_state(folder), RunState::kUnfinished);
}

/// A toy run whose state at step t is a text of t letters. Each step records a row and a frame; every second one is
/// followed by a checkpoint, the others by a commit. It diverges at step `diverges_at`, by then in another state, or
/// ends with a row and a frame of its last step.
struct Toy {
  int64_t steps = 6;
  int64_t diverges_at = -1;

  void run(const std::filesystem::path& folder, const WriteHook& hook) const {
    create_run(folder, some_spec(), hook);
    RunWriter writer(folder, "f", hook);
    if (writer.finished()) return;
    std::string state = writer.resume_from().value_or("");
    const auto record = [&](int64_t step) {
      writer.scalar(step, {"toy", 0, "v"}, static_cast<double>(step * step));
      writer.array(step, {"toy", 0, "a"}, std::vector<double>{static_cast<double>(state.size()), 1});
      writer.trajectory_frame(step, {static_cast<float>(step)});
    };
    while (static_cast<int64_t>(state.size()) < steps) {
      const auto step = static_cast<int64_t>(state.size());
      if (step == diverges_at) {
        writer.scalar(step, {"toy", 0, "v"}, INFINITY);
        writer.finish(step, state + '!', step);
        return;
      }
      record(step);
      state += static_cast<char>('a' + step);
      if (step % 2 == 1 && step + 1 < steps) writer.checkpoint(step + 1, state);
      if (step % 2 == 0) writer.commit();
    }
    record(steps);
    writer.finish(steps, state, -1);
  }
};

/// An analysis: rows of any steps, no checkpoint but an empty one at the end.
void toy_analysis(const std::filesystem::path& folder, const WriteHook& hook) {
  create_run(folder, some_spec(), hook);
  RunWriter writer(folder, "f", hook);
  if (writer.finished()) return;
  if (RunReader(folder).scalar_at({"toy", 0, "v"}, -7)) throw std::runtime_error("a row was not dropped");
  writer.scalar(-7, {"toy", 0, "v"}, 1);
  writer.commit();
  writer.scalar(3, {"toy", 0, "v"}, 2);
  writer.finish(0, "", -1);
}

/// All that a run leaves but the time that it took.
std::string left_in(const std::filesystem::path& folder) {
  const RunPaths paths{folder};
  RunReader reader(folder);
  std::string left = fmt::format("{} at {}\n{}", to_string(reader.state()), reader.diverged_at(), reader.dump_rows());
  for (const auto& file : {paths.spec(), paths.checkpoint(), paths.trajectory()}) {
    if (file_exists(file)) left += file.filename().string() + ": " + read_file(file) + "\n";
  }
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) names.insert(entry.path().filename());
  return left + fmt::format("{}", fmt::join(names, " "));
}

class KilledAnywhere : public ::testing::TestWithParam<int> {
 protected:
  testing::TempFolder temp_;
};

TEST_P(KilledAnywhere, AFinishedRunEndsWithTheSameBits) {
  const Toy toy;
  EXPECT_GT(testing::kill_everywhere(temp_, GetParam(), left_in,
                                     [&](const auto& folder, const auto& hook) { toy.run(folder, hook); }),
            70);
}

TEST_P(KilledAnywhere, ADivergedRunEndsWithTheSameBits) {
  for (const int64_t step : {3, 4, 0}) {
    testing::TempFolder temp;
    const Toy toy{6, step};
    EXPECT_GT(testing::kill_everywhere(temp, GetParam(), left_in,
                                       [&](const auto& folder, const auto& hook) { toy.run(folder, hook); }),
              20);
  }
}

TEST_P(KilledAnywhere, AnAnalysisEndsWithTheSameBits) {
  EXPECT_GT(testing::kill_everywhere(temp_, GetParam(), left_in, toy_analysis), 20);
}

INSTANTIATE_TEST_SUITE_P(TimesInARow, KilledAnywhere, ::testing::Values(1, 3));

TEST_F(RunStoreTest, AnEndThatWasStoredIsNotComputedAgain) {
  const Toy toy{6, 3};
  const auto folder = temp_ / "killed";
  int nth = 1;  // the first at which the last checkpoint is in its place
  for (;; ++nth) {
    std::filesystem::remove_all(folder);
    ASSERT_TRUE(testing::killed_at(nth, [&](const WriteHook& hook) { toy.run(folder, hook); }));
    if (file_exists(RunPaths{folder}.checkpoint()) && read_file(RunPaths{folder}.checkpoint()) == "abc!") break;
  }
  EXPECT_EQ(run_state(folder), RunState::kUnfinished);
  EXPECT_TRUE(RunWriter(folder, "f").finished());
  EXPECT_EQ(run_state(folder), RunState::kDiverged);
  EXPECT_EQ(RunReader(folder).diverged_at(), 3);
}

TEST(ReadTrajectory, AnotherFileIsRefusedAndATornFrameLeftOut) {
  testing::TempFolder temp;
  create_run(temp / "run", some_spec());
  RunWriter writer(temp / "run", "f");
  writer.trajectory_frame(0, {1, 2});
  writer.trajectory_frame(1, {3, 4});
  const auto file = RunPaths{temp / "run"}.trajectory();
  cut_file(file, size_of_file(file) - 1);
  EXPECT_THAT(read_trajectory(file).steps, ElementsAre(0));
  write_file_atomically(file, "something else, of some length");
  EXPECT_THROW(read_trajectory(file), StoreError);
}

}  // namespace
}  // namespace bnlab
