#include "bnlab/study/cost_shares.h"

#include "bnlab/runs/cost.h"

namespace bnlab {

double core_seconds(const RunSpec& spec, const DataFacts& data) {
  return estimated_seconds(spec, data) * static_cast<double>(processors_of(spec));
}

double CostShares::add(const Plan& plan) {
  double sum = 0;
  for (const auto& run : plan.runs()) {
    if (counted_.insert(run.id).second) sum += core_seconds(run.spec, data_);
  }
  return sum;
}

}  // namespace bnlab
