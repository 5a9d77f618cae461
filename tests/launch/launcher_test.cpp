#include "bnlab/launch/launcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "bnlab/launch/worker_protocol.h"
#include "bnlab/record/files.h"
#include "tests/temp_folder.h"

namespace bnlab {
namespace {

using ::testing::HasSubstr;

Job shell_job(const std::string& id, const std::string& script, std::vector<std::string> inputs = {}) {
  return {id, id, std::move(inputs), 1, 1, {"/bin/sh", "-c", script}};
}

class LauncherTest : public ::testing::Test {
 protected:
  std::vector<JobStatus> run(const std::vector<Job>& jobs, int64_t cores = 2) {
    LaunchOptions options;
    options.cores = cores;
    options.log_folder = temp_ / "logs";
    options.stop = &stop_;
    options.on_change = [this](const std::vector<JobStatus>& status) {
      size_t running = 0;
      for (const auto& job : status) running += job.state == JobState::kRunning;
      most_at_once_ = std::max(most_at_once_, running);
    };
    return launch(jobs, options);
  }
  testing::TempFolder temp_;
  std::atomic<bool> stop_{false};
  size_t most_at_once_ = 0;
};

TEST_F(LauncherTest, ACrashIsReportedWithItsLogAndTakesNoOtherJobAlong) {
  const auto status = run({shell_job("crash", "echo the last words >&2; kill -SEGV $$"), shell_job("fine", "true"),
                           shell_job("error", "echo 'bnlab-error no data'; exit 1"), shell_job("silent", "exit 3")});
  EXPECT_EQ(status[0].state, JobState::kFailed);
  EXPECT_THAT(status[0].error, HasSubstr("signal 11"));
  EXPECT_THAT(read_file(status[0].log), HasSubstr("the last words"));
  EXPECT_EQ(status[1].state, JobState::kDone);
  EXPECT_EQ(status[2].error, "no data");
  EXPECT_THAT(status[3].error, HasSubstr("status 3"));
}

TEST_F(LauncherTest, InputsComeFirstAndTheirFailureSkipsWhatNeedsThem) {
  const std::string file = (temp_ / "made").string();
  const auto status = run({shell_job("needs", "test -f " + file, {"makes"}),
                           shell_job("makes", "sleep 0.3; touch " + file), shell_job("fails", "exit 1"),
                           shell_job("skipped", "true", {"fails"}), shell_job("too", "true", {"skipped"})});
  EXPECT_EQ(status[0].state, JobState::kDone);
  EXPECT_EQ(status[3].state, JobState::kSkipped);
  EXPECT_EQ(status[4].state, JobState::kSkipped);
}

TEST_F(LauncherTest, ThreadsFillTheCoresAndNotMore) {
  std::vector<Job> jobs;
  for (int i = 0; i < 6; ++i) jobs.push_back(shell_job("j" + std::to_string(i), "sleep 0.3"));
  run(jobs, 3);
  EXPECT_EQ(most_at_once_, 3u);
  most_at_once_ = 0;
  for (auto& job : jobs) job.threads = 4;  // wider than the machine: one at a time
  run(jobs, 3);
  EXPECT_EQ(most_at_once_, 1u);
}

TEST_F(LauncherTest, AskedToStopItTerminatesWorkersAndStartsNoMore) {
  std::thread stopper([this] {
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    stop_ = true;
  });
  const auto status =
      run({shell_job("polite", "trap 'exit 75' TERM; while :; do sleep 0.05; done"), shell_job("next", "true")}, 1);
  stopper.join();
  EXPECT_EQ(status[0].state, JobState::kInterrupted);
  EXPECT_EQ(status[1].state, JobState::kInterrupted);
}

TEST_F(LauncherTest, ACommandThatCannotStartFails) {
  const auto status = run({Job{"x", "x", {}, 1, 1, {"/no/such/program"}}});
  EXPECT_EQ(status[0].state, JobState::kFailed);
}

TEST_F(LauncherTest, ProgressIsHeard) {
  const auto status =
      run({shell_job("p", "echo noise; echo 'bnlab-progress 0.25'; echo 'bnlab-warning careful'; exit 1")});
  EXPECT_DOUBLE_EQ(status[0].fraction, 0.25);
  EXPECT_THAT(status[0].warnings, ::testing::ElementsAre("careful"));
}

TEST(WorkerProtocol, MessagesComeBackAndNoiseIsIgnored) {
  const auto message = parse_message("bnlab-error two lines");
  ASSERT_TRUE(message);
  EXPECT_EQ(message->kind, WorkerMessage::Kind::kError);
  EXPECT_EQ(format_message({WorkerMessage::Kind::kError, 0, "two\nlines"}), "bnlab-error two lines\n");
  EXPECT_FALSE(parse_message("Epoch 3"));
  EXPECT_FALSE(parse_message("bnlab-progress nan"));
  EXPECT_FALSE(parse_message("bnlab-progress 1.5"));
  EXPECT_FALSE(parse_message("bnlab-progress x"));
}

}  // namespace
}  // namespace bnlab
