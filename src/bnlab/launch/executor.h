// Whatever computes jobs: worker processes of this machine (Launcher), a cluster (SlurmExecutor).
//
//     while (executor.step()) look_at(executor.status());
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace bnlab {

/// A run to be computed.
struct Job {
  std::string id;                   ///< what the worker is told; its log is ID.log
  std::string title;                ///< for people, e.g. "vgg11 batch lr 0.1 seed 1"
  std::vector<std::string> inputs;  ///< ids of jobs that must have ended well before
  int64_t threads = 1;
  double cost = 1;  ///< estimated work, in any unit that is the same for all jobs
};

enum class JobState { kWaiting, kRunning, kDone, kFailed, kInterrupted, kSkipped };

struct JobStatus {
  JobState state = JobState::kWaiting;
  double fraction = 0;        ///< of its work, 0 to 1
  std::string error;          ///< why it failed or was skipped, one sentence
  std::filesystem::path log;  ///< where its standard error went
  std::vector<std::string> warnings;
  std::string held_by = {};  ///< kWaiting: the other process that is at work on it, "" if none
};

class Executor {
 public:
  Executor() = default;
  virtual ~Executor() = default;
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  /// Does what is to be done next and waits for news, for about a fifth of a second at most. False once all is over:
  /// each job then has its final state.
  virtual bool step() = 0;

  /// In the order of the jobs.
  virtual const std::vector<JobStatus>& status() const = 0;

  /// What becomes of the work when the caller is asked to stop, one sentence.
  virtual std::string on_stop() const = 0;

  /// What has happened since the last call and concerns no job, in sentences.
  virtual std::vector<std::string> take_notes() { return {}; }
};

}  // namespace bnlab
