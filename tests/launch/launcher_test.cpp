#include "bnlab/launch/launcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <chrono>
#include <fstream>
#include <set>
#include <thread>

#include "bnlab/launch/worker_process.h"
#include "bnlab/launch/worker_protocol.h"
#include "bnlab/record/files.h"
#include "bnlab/record/run_lease.h"
#include "bnlab/record/run_store.h"
#include "tests/temp_folder.h"

namespace bnlab {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Jobs are shell scripts here, and the worker a shell that reads their names: 'exit' and 'kill $$' end the worker.
class LauncherTest : public ::testing::Test {
 protected:
  LauncherTest() {
    std::filesystem::create_directories(temp_ / "scripts");
    options_.worker = {"/bin/sh", "-c",
                       "cd " + temp_.path().string() +
                           "; while read -r id; do exec 2>>logs/$id.log; echo $id $$ >>started; . scripts/$id; "
                           "echo bnlab-done; done"};
    options_.cores = 2;
    options_.log_folder = temp_ / "logs";
    options_.stop = &stop_;
  }

  Job job(const std::string& id, const std::string& script, std::vector<std::string> inputs = {}, int64_t threads = 1) {
    write_file_atomically(temp_ / "scripts" / id, script + "\n");
    return {id, id, std::move(inputs), threads, 1};
  }

  std::vector<JobStatus> run(const std::vector<Job>& jobs) {
    Launcher launcher(jobs, options_);
    bool going_on = true;
    while (going_on) {
      going_on = launcher.step();
      size_t running = 0;
      for (const auto& job : launcher.status()) running += job.state == JobState::kRunning;
      most_at_once_ = std::max(most_at_once_, running);
    }
    return launcher.status();
  }

  /// The jobs' names in the order in which they were started, and their workers' process numbers.
  std::vector<std::pair<std::string, pid_t>> started() const {
    std::ifstream file(temp_ / "started");
    std::vector<std::pair<std::string, pid_t>> list;
    std::string id;
    for (pid_t worker; file >> id >> worker;) list.emplace_back(id, worker);
    return list;
  }
  std::set<pid_t> workers() const {
    std::set<pid_t> all;
    for (const auto& [id, worker] : started()) all.insert(worker);
    return all;
  }

  testing::TempFolder temp_;
  LaunchOptions options_;
  std::atomic<bool> stop_{false};
  size_t most_at_once_ = 0;
};

TEST_F(LauncherTest, AWorkerTakesOneJobAfterTheOtherAndEachHasItsOwnLog) {
  options_.cores = 1;
  const auto status = run({job("a", "echo of a >&2"), job("b", "echo of b >&2"), job("c", "true")});
  for (const auto& job : status) EXPECT_EQ(job.state, JobState::kDone);
  EXPECT_EQ(workers().size(), 1u);
  EXPECT_EQ(read_file(status[0].log), "of a\n");
  EXPECT_EQ(read_file(status[1].log), "of b\n");
  EXPECT_EQ(read_file(status[2].log), "");
}

TEST_F(LauncherTest, TheLogOfAnEarlierAttemptIsGone) {
  run({job("a", "echo first >&2")});
  const auto status = run({job("a", "echo second >&2")});
  EXPECT_EQ(read_file(status[0].log), "second\n");
}

TEST_F(LauncherTest, ACrashIsReportedWithItsLogAndTakesNoOtherJobAlong) {
  options_.cores = 1;
  const auto status = run({job("first", "true"), job("crash", "echo the last words >&2; kill -SEGV $$"),
                           job("fine", "true"), job("error", "echo 'bnlab-error no data'; exit 1"),
                           job("silent", "exit 3"), job("left", "exit 0"), job("last", "true")});
  EXPECT_EQ(status[0].state, JobState::kDone);
  EXPECT_EQ(status[1].state, JobState::kFailed);
  EXPECT_THAT(status[1].error, HasSubstr("signal 11"));
  EXPECT_THAT(read_file(status[1].log), HasSubstr("the last words"));
  EXPECT_EQ(status[2].state, JobState::kDone);
  EXPECT_EQ(status[3].error, "no data");
  EXPECT_THAT(status[4].error, HasSubstr("status 3"));
  EXPECT_EQ(status[5].state, JobState::kFailed) << "ended well, but never said that the run is done";
  EXPECT_EQ(status[6].state, JobState::kDone);
  EXPECT_EQ(workers().size(), 5u) << "a fresh worker after each crash, and only then";
}

TEST_F(LauncherTest, InputsComeFirstAndTheirFailureSkipsWhatNeedsThem) {
  const auto status = run({job("needs", "test -f made || exit 1", {"makes"}), job("makes", "sleep 0.3; touch made"),
                           job("fails", "exit 1"), job("skipped", "true", {"fails"}), job("too", "true", {"skipped"})});
  EXPECT_EQ(status[0].state, JobState::kDone);
  EXPECT_EQ(status[3].state, JobState::kSkipped);
  EXPECT_EQ(status[4].state, JobState::kSkipped);
}

TEST_F(LauncherTest, ThreadsFillTheCoresAndNotMore) {
  std::vector<Job> jobs;
  for (int i = 0; i < 6; ++i) jobs.push_back(job("j" + std::to_string(i), "sleep 0.3"));
  options_.cores = 3;
  run(jobs);
  EXPECT_EQ(most_at_once_, 3u);
  EXPECT_EQ(workers().size(), 3u);
  most_at_once_ = 0;
  for (auto& job : jobs) job.threads = 4;  // wider than the machine: one at a time
  run(jobs);
  EXPECT_EQ(most_at_once_, 1u);
}

TEST_F(LauncherTest, NoMoreProcessesThanAllowed) {
  options_.cores = 4;
  options_.max_workers = 2;
  run({job("a", "sleep 0.4"), job("b", "sleep 0.4"), job("c", "sleep 0.1"), job("d", "sleep 0.1")});
  EXPECT_EQ(most_at_once_, 2u);
  EXPECT_EQ(workers().size(), 2u);
}

TEST_F(LauncherTest, AWideJobIsNotOvertakenByTheNarrowOnesBehindIt) {
  run({job("a", "sleep 0.1"), job("b", "sleep 0.4"), job("wide", "true", {}, 2), job("c", "true"), job("d", "true")});
  ASSERT_EQ(started().size(), 5u);
  EXPECT_EQ(started()[2].first, "wide");
}

TEST_F(LauncherTest, AskedToStopItTerminatesWorkersAndStartsNoMore) {
  options_.cores = 1;
  std::thread stopper([this] {
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    stop_ = true;
  });
  const auto status = run({job("polite", "trap 'exit 75' TERM; while :; do sleep 0.05; done"), job("next", "true")});
  stopper.join();
  EXPECT_EQ(status[0].state, JobState::kInterrupted);
  EXPECT_EQ(status[1].state, JobState::kInterrupted);
  EXPECT_EQ(started().size(), 1u);
}

TEST_F(LauncherTest, StoppedBeforeTheWorkerIsReadyIsStoppedAndNotFailed) {
  options_.cores = 1;
  for (const char* worker : {"while :; do sleep 0.05; done", "sleep 0.02; exec sleep 9"}) {
    stop_ = false;
    options_.worker = {"/bin/sh", "-c", worker};  // it has no handler: SIGTERM ends it
    std::thread stopper([this] {
      std::this_thread::sleep_for(std::chrono::milliseconds(30));
      stop_ = true;
    });
    const auto status = run({job("starting", "true")});
    stopper.join();
    EXPECT_EQ(status[0].state, JobState::kInterrupted) << status[0].error;
    EXPECT_EQ(status[0].error, "");
  }
}

TEST_F(LauncherTest, AWorkerStoppedBySomeoneElseHasFailed) {
  const auto status = run({job("term", "kill -TERM $$; sleep 9"), job("polite", "exit 75")});
  EXPECT_EQ(status[0].state, JobState::kFailed);
  EXPECT_THAT(status[0].error, HasSubstr("signal 15"));
  EXPECT_EQ(status[1].state, JobState::kFailed);
  EXPECT_THAT(status[1].error, HasSubstr("the same command goes on"));
}

TEST_F(LauncherTest, ACommandThatCannotStartFailsAndSkipsWhatNeedsIt) {
  options_.worker = {"/no/such/program"};
  const auto status = run({job("needs", "true", {"x"}), job("x", "true")});
  EXPECT_EQ(status[1].state, JobState::kFailed);
  EXPECT_EQ(status[0].state, JobState::kSkipped);
}

TEST_F(LauncherTest, ALogThatCannotBeWrittenFailsItsJobAndSkipsWhatNeedsIt) {
  std::filesystem::create_directories(temp_ / "logs" / "x.log" / "in the way");
  const auto status = run({job("needs", "true", {"x"}), job("x", "true"), job("fine", "true")});
  EXPECT_EQ(status[1].state, JobState::kFailed);
  EXPECT_THAT(status[1].error, HasSubstr("x.log"));
  EXPECT_EQ(status[0].state, JobState::kSkipped);
  EXPECT_EQ(status[2].state, JobState::kDone);
}

TEST_F(LauncherTest, ARunThatSomebodyElseHoldsIsLeftToHimAndDoneWhenHeHasEndedIt) {
  const auto folder = temp_ / "runs" / "theirs";
  TrainSpec spec;
  spec.steps = 1;
  create_run(folder, spec);
  SharedRuns shared(temp_ / "runs", temp_ / "logs", std::chrono::milliseconds(60'000));
  options_.shared = &shared;
  options_.cores = 1;
  std::thread other([&] {
    const RunLease lease(lease_of(folder), "", {"elsewhere", "its kernel", "", 1});
    std::this_thread::sleep_for(std::chrono::milliseconds(1500));
    RunWriter(folder, "f").finish(1, "x", -1);
  });
  while (!read_lease(lease_of(folder))) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  const auto status = run({job("theirs", "true"), job("mine", "true"), job("needs", "true", {"theirs"})});
  other.join();
  for (const auto& job : status) EXPECT_EQ(job.state, JobState::kDone);
  ASSERT_EQ(started().size(), 2u);
  EXPECT_EQ(started()[0].first, "mine");
  EXPECT_EQ(started()[1].first, "needs");
}

TEST_F(LauncherTest, AWorkerThatFindsItsRunHeldOrLosesItIsNoFailure) {
  options_.cores = 1;
  const auto status = run({job("held", "test -f again || { touch again; echo bnlab-held by n2; continue; }"),
                           job("lost", "test -f twice || { touch twice; exit 76; }"), job("other", "true")});
  for (const auto& job : status) EXPECT_EQ(job.state, JobState::kDone) << job.error;
  EXPECT_EQ(started().size(), 5u);
  EXPECT_EQ(started()[2].first, "other");
}

TEST_F(LauncherTest, AFailureThatSomebodyElseHasNotedIsNotRepeated) {
  SharedRuns shared(temp_ / "runs", temp_ / "logs", std::chrono::milliseconds(60'000));
  options_.shared = &shared;
  std::filesystem::create_directories(temp_ / "logs");
  note_failure(temp_ / "logs", "bad", "no memory on n1");
  const auto status = run({job("bad", "true"), job("needs", "true", {"bad"})});
  EXPECT_EQ(status[0].state, JobState::kFailed);
  EXPECT_EQ(status[0].error, "no memory on n1");
  EXPECT_EQ(status[1].state, JobState::kSkipped);
  forget_failure(temp_ / "logs", "bad");
  EXPECT_EQ(run({job("bad", "true")})[0].state, JobState::kDone);
}

TEST_F(LauncherTest, ProgressIsHeard) {
  const auto status = run({job("p", "echo noise; echo 'bnlab-progress 0.25'; echo 'bnlab-warning careful'; exit 1")});
  EXPECT_DOUBLE_EQ(status[0].fraction, 0.25);
  EXPECT_THAT(status[0].warnings, ElementsAre("careful"));
}

// The launcher's handler, which only notes the signal, must not take one that is meant for the child.
TEST(WorkerProcess, ASignalBetweenForkAndExecIsNotLost) {
  struct sigaction action {
  }, before{};
  action.sa_handler = [](int) {};
  sigaction(SIGTERM, &action, &before);
  testing::TempFolder temp;
  int ended = 0;
  for (int i = 0; i < 40; ++i) {
    WorkerProcess worker({"/bin/sleep", "0.2"}, temp / "log");
    worker.terminate();  // the fork has just been made
    const int status = worker.wait();
    ended += WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM;
  }
  sigaction(SIGTERM, &before, nullptr);
  EXPECT_EQ(ended, 40);
}

TEST(WorkerProcess, AllAreKilledAtOnce) {
  testing::TempFolder temp;
  WorkerProcess stubborn({"/bin/sh", "-c", "trap '' TERM INT; echo ready; while :; do sleep 0.05; done"}, temp / "log");
  bool ready = false;
  while (!ready) stubborn.read_lines([&](const std::string&) { ready = true; });
  kill_all_workers();
  const int status = stubborn.wait();
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

TEST(WorkerProcess, SendingToOneThatHasEndedIsNoError) {
  testing::TempFolder temp;
  WorkerProcess worker({"/bin/sh", "-c", "exit 0"}, temp / "log");
  while (worker.read_lines([](const std::string&) {})) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  worker.send("too late");
  EXPECT_EQ(worker.wait(), 0);
}

TEST(WorkerProtocol, MessagesComeBackAndNoiseIsIgnored) {
  const auto message = parse_message("bnlab-error two lines");
  ASSERT_TRUE(message);
  EXPECT_EQ(message->kind, WorkerMessage::Kind::kError);
  EXPECT_EQ(format_message({WorkerMessage::Kind::kError, 0, "two\nlines"}), "bnlab-error two lines\n");
  EXPECT_EQ(format_message({WorkerMessage::Kind::kDone, 1, ""}), "bnlab-done\n");
  EXPECT_EQ(parse_message("bnlab-done")->kind, WorkerMessage::Kind::kDone);
  EXPECT_FALSE(parse_message("bnlab-done well"));
  EXPECT_FALSE(parse_message("Epoch 3"));
  EXPECT_FALSE(parse_message("bnlab-progress nan"));
  EXPECT_FALSE(parse_message("bnlab-progress 1.5"));
  EXPECT_FALSE(parse_message("bnlab-progress x"));
}

}  // namespace
}  // namespace bnlab
