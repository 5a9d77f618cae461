// Independent runs on local worker processes.
//
// A worker takes one run after the other (worker_protocol.h), so libtorch and the data are loaded once. It is a process
// of its own: a crash costs the run that it was computing, and another worker takes the rest. Threads per run are part
// of its spec; the launcher fills the cores with as many runs as fit. Asked to stop, it passes SIGTERM on and waits for
// the workers' checkpoints. Other launchers may be at work on the same runs: one that somebody else computes is left to
// him, looked at again, and done when he has ended it.
//
//     Launcher launcher(jobs, options);
//     while (launcher.step()) look_at(launcher.status());
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bnlab/launch/executor.h"
#include "bnlab/launch/shared_runs.h"
#include "bnlab/launch/worker_protocol.h"

namespace bnlab {

class WorkerProcess;

struct LaunchOptions {
  std::vector<std::string> worker;   ///< the argv of a worker process
  std::filesystem::path log_folder;  ///< a worker appends its standard error to ID.log there, from each job's start
  int64_t cores = 1;                 ///< threads that may run at once
  int64_t max_workers = 0;           ///< processes at once; 0: as many as the cores allow
  const std::atomic<bool>* stop = nullptr;
  SharedRuns* shared = nullptr;  ///< what others do with the runs; null: there are no others
  bool leave_held = false;       ///< ends when nothing is left but what others are at work on, seen to be alive
};

/// Not copyable; one thread at a time, always the same one (a worker is told when the thread that started it dies).
class Launcher : public Executor {
 public:
  Launcher(std::vector<Job> jobs, LaunchOptions options);
  ~Launcher() override;  ///< kills what still runs

  /// Starts the jobs that come next as far as cores and inputs allow, and hears the workers for at most a fifth of a
  /// second. False once all is over: each job then has its final state.
  bool step() override;

  const std::vector<JobStatus>& status() const override { return status_; }
  std::string on_stop() const override;

 private:
  static constexpr size_t kNoJob = static_cast<size_t>(-1);
  using Clock = std::chrono::steady_clock;
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
  bool start_unless_held(size_t job);
  bool waits_for_others();
  void leave_to(size_t job, const std::string& holder);
  void start(size_t job, const std::string& abandoned);
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
  std::vector<Clock::time_point> look_again_;  // at each job, not before
  std::optional<Clock::time_point> idle_since_;
  std::vector<Worker> workers_;
  int64_t busy_ = 0;  // jobs
  int64_t busy_threads_ = 0;
  bool stopping_ = false;
};

/// Cores that this process may use (its CPU affinity).
int64_t available_cores();

}  // namespace bnlab
