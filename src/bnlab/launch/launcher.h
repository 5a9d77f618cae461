// Independent runs on local worker processes.
//
// A worker is a process of its own, so a crash takes no other run along; its standard error goes to a log. On standard
// output it speaks in lines (worker_protocol.h). Threads per run are part of its spec; the launcher fills the cores
// with as many runs as fit. Asked to stop, it passes SIGTERM on, waits for the workers' checkpoints and returns.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace bnlab {

/// A run to be computed.
struct Job {
  std::string id;
  std::string title;                ///< for people, e.g. "vgg11 batch lr 0.1 seed 0"
  std::vector<std::string> inputs;  ///< ids of jobs that must have ended well before
  int64_t threads = 1;
  double cost = 1;                   ///< estimated work, in any unit that is the same for all jobs
  std::vector<std::string> command;  ///< the worker's argv
};

enum class JobState { kWaiting, kRunning, kDone, kFailed, kInterrupted, kSkipped };

struct JobStatus {
  JobState state = JobState::kWaiting;
  double fraction = 0;        ///< of its work, 0 to 1
  std::string error;          ///< why it failed or was skipped, one sentence
  std::filesystem::path log;  ///< where its standard error went
  std::vector<std::string> warnings;
};

struct LaunchOptions {
  int64_t cores = 1;        ///< threads that may run at once
  int64_t max_workers = 0;  ///< processes that may run at once; 0: as many as the cores allow
  std::filesystem::path log_folder;
  const std::atomic<bool>* stop = nullptr;
  /// Called a few times a second and whenever a job ends, with the jobs' status in their order.
  std::function<void(const std::vector<JobStatus>&)> on_change;
};

/// Runs the jobs in their order as far as cores and inputs allow; returns each one's final status.
std::vector<JobStatus> launch(const std::vector<Job>& jobs, const LaunchOptions& options);

/// Cores that this process may use (its CPU affinity).
int64_t available_cores();

}  // namespace bnlab
