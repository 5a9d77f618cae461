// Runs that the live page may start: `bnlab train` in a process of its own.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "bnlab/cli/common.h"
#include "bnlab/serve/run_starter.h"

namespace bnlab {

class LocalRuns : public RunStarter {
 public:
  using OnEnd = std::function<void(const std::string& id, const std::string& error)>;

  /// `program`: this executable. `data`, `facts`: the data of the folder's runs, as given to --data, and what it is.
  /// `on_end` is told why a run has ended without a result, and "" when it starts.
  LocalRuns(const OutFolder& out, const std::string& program, const std::string& data, const DataFacts& facts,
            OnEnd on_end);
  ~LocalRuns() override;  ///< asks the run that is going on to stop, and waits for its checkpoint

  RunPlan plan(const RunSpec& spec) override;
  bool start(const RunPlan& plan) override;
  bool stop(const std::string& id) override;

 private:
  void compute(const std::string& id);

  OutFolder out_;
  std::string program_, data_;
  DataFacts facts_;
  OnEnd on_end_;
  std::mutex mutex_;  // of what follows
  std::thread thread_;
  std::string going_on_;  // id, or ""
  std::atomic<bool> stop_asked_{false};
};

}  // namespace bnlab
