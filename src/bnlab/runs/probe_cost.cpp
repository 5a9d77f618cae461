#include "bnlab/runs/probe_cost.h"

#include <algorithm>

#include "bnlab/runs/completion.h"
#include "bnlab/train/probe_schedule.h"

namespace bnlab {
namespace {

/// Costs in training steps.
struct Costs {
  std::vector<ProbeCost> during;
  double at_end = 0;
};

int64_t looks_of(const ProbeSpec& probe, int64_t steps) {
  return probe.from >= steps ? 0 : (steps - 1 - probe.from) / probe.every + 1;
}

Costs costs_of(const TrainSpec& complete, const DataFacts& at_hand) {
  const auto spec = std::get<TrainSpec>(full_run_spec(complete, at_hand));
  const ProbeSetting setting = probe_setting(spec, network_facts(spec, at_hand), at_hand);
  Costs costs;
  for (const ProbeSpec& probe : spec.probes) {
    const ProbeKind& kind = *find_probe_kind(probe.name);
    const double look = kind.cost(probe.parameters, setting);
    costs.during.push_back({0, looks_of(probe, spec.steps), look, kind.thinnable});
    if (probe.at_end) costs.at_end += look;
  }
  return costs;
}

}  // namespace

double probe_cost(const TrainSpec& spec, const DataFacts& data) {
  const Costs costs = costs_of(spec, data);
  return cost_at(costs.during, 1) + costs.at_end;
}

void thin_probes(TrainSpec& spec, int64_t n) {
  for (ProbeSpec& probe : spec.probes) {
    const ProbeKind* kind = find_probe_kind(probe.name);
    if (kind && kind->thinnable) probe.every *= n;
  }
}

int64_t thinning_for(double budget, const std::vector<RunSpec>& specs, const DataFacts& data) {
  int64_t n = 1;
  for (const RunSpec& spec : specs) {
    const auto* train = std::get_if<TrainSpec>(&spec);
    if (!train) continue;
    const Costs costs = costs_of(*train, data);
    n = std::max(n, least_thinning(costs.during, budget * static_cast<double>(train->steps) - costs.at_end));
  }
  return n;
}

}  // namespace bnlab
