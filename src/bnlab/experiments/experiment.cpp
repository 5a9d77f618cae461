#include "bnlab/experiments/experiment.h"

#include <stdexcept>

namespace bnlab {
namespace {

const std::vector<std::pair<Scale, std::string>>& scale_names() {
  static const std::vector<std::pair<Scale, std::string>> names = {
      {Scale::kSmoke, "smoke"}, {Scale::kQuick, "quick"}, {Scale::kStandard, "standard"}, {Scale::kPaper, "paper"}};
  return names;
}

}  // namespace

std::string to_string(Scale scale) {
  for (const auto& [value, name] : scale_names()) {
    if (value == scale) return name;
  }
  return "";
}

std::optional<Scale> parse_scale(const std::string& name) {
  for (const auto& [value, known] : scale_names()) {
    if (known == name) return value;
  }
  return std::nullopt;
}

const std::vector<Scale>& all_scales() {
  static const std::vector<Scale> scales = {Scale::kSmoke, Scale::kQuick, Scale::kStandard, Scale::kPaper};
  return scales;
}

std::string Plan::add(const std::string& arm, int64_t seed, const std::string& title, RunSpec spec) {
  if (auto* train = std::get_if<TrainSpec>(&spec)) train->probe_budget = probe_budget_;
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

RunReader* Results::find(const std::string& arm, int64_t seed) {
  const std::string& id = plan_.run(arm, seed).id;
  if (const auto it = open_.find(id); it != open_.end()) return it->second.get();
  const RunState state = run_state(folder_ / id);
  if (state != RunState::kFinished && state != RunState::kDiverged) return nullptr;
  return (open_[id] = std::make_unique<RunReader>(folder_ / id)).get();
}

}  // namespace bnlab
