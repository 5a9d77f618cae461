// Runs on a Slurm cluster: one job array, whose elements take runs from the shared folder; this process only looks.
#pragma once

#include <atomic>
#include <chrono>
#include <string>
#include <vector>

#include "bnlab/launch/executor.h"
#include "bnlab/launch/shared_runs.h"
#include "bnlab/launch/slurm.h"

namespace bnlab {

class SlurmExecutor : public Executor {
 public:
  /// Finds the job that FOLDER/job.json names, if one of its elements still waits or runs; else submits one. Throws
  /// std::runtime_error, one sentence.
  SlurmExecutor(std::vector<Job> jobs, SlurmJob slurm, SharedRuns& shared, std::filesystem::path logs,
                const std::atomic<bool>* stop);

  /// A run is done when its folder says so, and has failed when an element has noted that. If no element is left though
  /// runs are missing, the array is submitted again, provided that the last one has ended a run; else they have failed.
  bool step() override;
  const std::vector<JobStatus>& status() const override { return status_; }
  std::string on_stop() const override;

  /// What has happened since the last call, in sentences.
  std::vector<std::string> take_notes() override;

 private:
  using Clock = std::chrono::steady_clock;
  void submit_again(const std::string& why);
  void look_at_runs();
  void skip_what_needs(const std::string& id);
  bool all_over() const;
  void look_at_elements();

  std::vector<Job> jobs_;
  std::vector<JobStatus> status_;
  SlurmJob slurm_;
  SharedRuns& shared_;
  std::filesystem::path logs_;
  const std::atomic<bool>* stop_;
  std::string id_;
  bool ended_one_ = false;  // since the last submission
  Clock::time_point next_runs_{}, next_elements_{};
  std::vector<std::string> notes_;
};

}  // namespace bnlab
