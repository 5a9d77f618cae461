#include "bnlab/cli/plan_listing.h"

#include <algorithm>
#include <set>

#include "bnlab/runs/cost.h"

namespace bnlab {

std::vector<PlannedRun> runs_in_order(const std::vector<PlannedExperiment>& planned) {
  std::vector<PlannedRun> runs;
  std::set<std::string> seen;
  for (const auto& experiment : planned) {
    for (const auto& run : experiment.plan.runs()) {
      if (seen.insert(run.id).second) runs.push_back(run);
    }
  }
  std::stable_sort(runs.begin(), runs.end(), [](const auto& a, const auto& b) { return a.seed < b.seed; });
  return runs;
}

Json plan_listing(const Request& request) {
  Json listing = Json::array();
  for (const PlannedRun& run : runs_in_order(plan_experiments(request))) {
    const auto* analysis = std::get_if<AnalysisSpec>(&run.spec);
    const int64_t threads = threads_of(run.spec);
    listing.push_back({{"id", run.id},
                       {"title", run.title},
                       {"seed", run.seed},
                       {"kind", kind_of(run.spec)},
                       {"threads", threads},
                       {"ranks", processors_of(run.spec) / threads},
                       {"inputs", analysis ? analysis->inputs : std::vector<std::string>{}},
                       {"seconds", estimated_seconds(run.spec, request.facts)}});
  }
  return listing;
}

}  // namespace bnlab
