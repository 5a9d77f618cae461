// What `bnlab reproduce` does: computes the runs of a request that are missing, here or on a cluster, and writes the
// report as it grows. Any number of them may be at work on one folder, on one machine or on several that share it.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bnlab/cli/cluster_hello.h"
#include "bnlab/cli/common.h"
#include "bnlab/cli/growing_report.h"
#include "bnlab/launch/executor.h"
#include "bnlab/launch/progress_display.h"
#include "bnlab/launch/shared_runs.h"

namespace bnlab {

struct ReproduceOptions {
  std::string only, data = "fashion-mnist", scale = "quick", out = "bnlab-out", probe_budget;
  int64_t seeds = 0, first_seed = 1, workers = 0;
  double checkpoint_seconds = 20;
  int port = -1;
  bool force = false, json = false, serve = false;
  double patience = 30;            ///< seconds without a sign of another machine's process until its run is taken over
  bool join = false;               ///< an element of a cluster's job: no report
  std::string executor = "local";  ///< or "slurm"
  bool print_plan = false;         ///< instead of computing anything
  bool detach = false;             ///< ends when the job is submitted
  std::string slurm_args;
  int64_t array = 4;
  std::vector<std::string> asked;  ///< the arguments of the command itself, for the elements of a job
};

class Reproduction {
 public:
  /// `program`: path of this executable.
  Reproduction(const ReproduceOptions& options, const std::string& program, const Request& request);
  int run();  ///< returns the exit status

 private:
  void prepare();
  void compute();
  std::unique_ptr<Executor> make_executor();
  std::unique_ptr<Executor> make_launcher();
  std::unique_ptr<Executor> make_slurm_executor();
  void tell_news();
  void follow(size_t job, const JobStatus& status);
  void show_progress(const std::vector<JobStatus>& status);
  void grow_report();
  int finish_join() const;
  void say_what_was_done() const;

  const ReproduceOptions& options_;
  std::string program_;
  OutFolder out_;
  DataFacts facts_;
  std::vector<PlannedExperiment> planned_;
  std::vector<PlannedRun> runs_;
  GrowingReport report_;
  SharedRuns shared_;
  std::vector<Job> jobs_;
  std::vector<int64_t> steps_;   // of each job
  std::vector<JobState> known_;  // of each job, at the last look
  std::vector<double> seen_;     // fraction of each job, at the last look
  double steps_done_ = 0;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  size_t reused_ = 0;
  bool said_stopping_ = false, said_report_ = false, said_no_report_ = false;
  RunErrors errors_;
  ProgressDisplay display_;
  HelloReader hellos_;
  std::unique_ptr<Executor> executor_;
};

}  // namespace bnlab
