// Independent runs on local worker processes.
//
// A worker takes one run after the other (worker_protocol.h), so libtorch and the data are loaded once. It is a process
// of its own: a crash costs the run that it was computing, and another worker takes the rest. Threads per run are part
// of its spec; the launcher fills the cores with as many runs as fit. Asked to stop, it passes SIGTERM on and waits for
// the workers' checkpoints.
//
//     Launcher launcher(jobs, options);
//     while (launcher.step()) look_at(launcher.status());
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "bnlab/launch/worker_protocol.h"

namespace bnlab {

class WorkerProcess;

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
};

struct LaunchOptions {
  std::vector<std::string> worker;   ///< the argv of a worker process
  std::filesystem::path log_folder;  ///< a worker appends its standard error to ID.log there, from each job's start
  int64_t cores = 1;                 ///< threads that may run at once
  int64_t max_workers = 0;           ///< processes at once; 0: as many as the cores allow
  const std::atomic<bool>* stop = nullptr;
};

/// Not copyable; one thread at a time, always the same one (a worker is told when the thread that started it dies).
class Launcher {
 public:
  Launcher(std::vector<Job> jobs, LaunchOptions options);
  ~Launcher();  ///< kills what still runs

  /// Starts the jobs that come next as far as cores and inputs allow, and hears the workers for at most a fifth of a
  /// second. False once all is over: each job then has its final state.
  bool step();

  /// In the order of the jobs.
  const std::vector<JobStatus>& status() const { return status_; }

 private:
  static constexpr size_t kNoJob = static_cast<size_t>(-1);
  struct Worker {
    std::unique_ptr<WorkerProcess> process;
    size_t job = kNoJob;
  };
  enum class Inputs { kReady, kPending, kFailed };

  bool stop_asked() const { return options_.stop && *options_.stop; }
  void stop();
  Inputs inputs_of(size_t job) const;
  bool fits(const Job& job) const;
  bool start_what_fits();
  void start(size_t job);
  Worker& idle_worker(const std::filesystem::path& log);
  void listen();
  void hear(Worker& worker, const std::string& line);
  void end_job(Worker& worker, JobState state);
  void end(Worker& worker);
  void finish();

  std::vector<Job> jobs_;
  std::vector<std::vector<size_t>> inputs_;  // of each job, as indices of other jobs
  LaunchOptions options_;
  std::vector<JobStatus> status_;
  std::vector<Worker> workers_;
  int64_t busy_ = 0;  // jobs
  int64_t busy_threads_ = 0;
  bool stopping_ = false;
};

/// Cores that this process may use (its CPU affinity).
int64_t available_cores();

}  // namespace bnlab
