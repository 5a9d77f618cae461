#include "bnlab/study/plan.h"

#include <stdexcept>

#include "bnlab/runs/completion.h"
#include "bnlab/runs/probe_cost.h"

namespace bnlab {

std::string Plan::add(const std::string& arm, int64_t seed, const std::string& title, RunSpec spec) {
  if (auto* train = std::get_if<TrainSpec>(&spec)) thin_probes(*train, probe_thinning_);
  PlannedRun run{arm, seed, title, complete_run_spec(std::move(spec), data_), ""};
  run.id = run_id(run.spec);
  runs_.push_back(std::move(run));
  return runs_.back().id;
}

const PlannedRun& Plan::run(const std::string& arm, int64_t seed) const {
  for (const auto& run : runs_) {
    if (run.arm == arm && run.seed == seed) return run;
  }
  throw std::out_of_range("the plan has no run of arm \"" + arm + "\" with seed " + std::to_string(seed));
}

}  // namespace bnlab
