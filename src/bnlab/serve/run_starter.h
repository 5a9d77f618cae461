// What the server asks of whoever can compute runs: it cannot itself.
#pragma once

#include "bnlab/record/run_spec.h"

namespace bnlab {

/// A run that could be started.
struct RunPlan {
  std::string id;
  RunSpec spec;             ///< complete: as it would be stored
  double cost_seconds = 0;  ///< estimate, of this machine's cores that it would use
};

/// Runs on this machine, one at a time. Any thread may call; all are quick.
class RunStarter {
 public:
  virtual ~RunStarter() = default;
  /// Throws SpecError if it cannot be run.
  virtual RunPlan plan(const RunSpec& spec) = 0;
  /// False if another one is going on. Throws std::runtime_error if it cannot be started.
  virtual bool start(const RunPlan& plan) = 0;
  /// Asks a run that was started here to stop. False if it is not going on.
  virtual bool stop(const std::string& id) = 0;
};

}  // namespace bnlab
