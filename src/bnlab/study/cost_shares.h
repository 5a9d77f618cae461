// What experiments cost beside each other: a run that several of them need is computed once.
#pragma once

#include <set>
#include <string>

#include "bnlab/study/plan.h"

namespace bnlab {

/// Estimated core-seconds of a complete spec: its seconds times its threads.
double core_seconds(const RunSpec& spec, const DataFacts& data);

class CostShares {
 public:
  explicit CostShares(DataFacts data) : data_(std::move(data)) {}
  /// Estimated core-seconds of the plan's runs that no plan added before has. To be called in the order of the
  /// experiments.
  double add(const Plan& plan);

 private:
  DataFacts data_;
  std::set<std::string> counted_;
};

}  // namespace bnlab
