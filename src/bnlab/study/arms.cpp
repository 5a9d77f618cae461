#include "bnlab/study/arms.h"

#include <fmt/format.h>

namespace bnlab {

std::vector<ArmStyle> styles_of(const std::vector<Arm>& arms) {
  std::vector<ArmStyle> styles;
  for (const Arm& arm : arms) styles.push_back(arm.style);
  return styles;
}

void add_runs(Plan& plan, const Setting& setting, const std::vector<Arm>& arms) {
  for (const int64_t seed : setting.seeds) {
    for (const Arm& arm : arms) {
      const TrainSpec spec = arm.spec(setting, seed);
      plan.add(arm.name(), seed, fmt::format("{}, {}, seed {}", spec.model.name, arm.name(), seed), spec);
    }
  }
}

std::function<Plan(const Setting& setting)> runs_of(std::vector<Arm> arms, std::vector<Arm> further) {
  return [arms = std::move(arms), further = std::move(further)](const Setting& setting) {
    Plan plan(setting);
    add_runs(plan, setting, arms);
    add_runs(plan, setting, further);
    return plan;
  };
}

const std::vector<RunReader*>& ArmRuns::of(const Arm& arm) const {
  if (const auto it = runs_.find(arm.name()); it != runs_.end()) return it->second;
  std::vector<RunReader*>& runs = runs_[arm.name()];
  for (const int64_t seed : setting_.seeds) {
    if (RunReader* run = results_.find(arm.name(), seed)) runs.push_back(run);
  }
  return runs;
}

std::vector<std::string> ArmRuns::ids(const Arm& arm) const {
  std::vector<std::string> ids;
  for (const int64_t seed : setting_.seeds) ids.push_back(results_.plan().run(arm.name(), seed).id);
  return ids;
}

}  // namespace bnlab
