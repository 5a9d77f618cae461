#include "bnlab/train/probe_schedule.h"

#include <algorithm>

namespace bnlab {
namespace {

constexpr char kMeta[] = "probe_schedule";

}  // namespace

double cost_at(const std::vector<ProbeCost>& costs, int64_t thinning) {
  double seconds = 0;
  for (const ProbeCost& cost : costs) {
    const int64_t looks = cost.thinnable ? (cost.looks + thinning - 1) / thinning : cost.looks;
    seconds += static_cast<double>(looks) * cost.seconds;
  }
  return seconds;
}

int64_t least_thinning(const std::vector<ProbeCost>& costs, double seconds) {
  int64_t most = 1;
  for (const ProbeCost& cost : costs) most = std::max(most, cost.thinnable ? cost.looks : 1);
  // cost_at() falls with n.
  int64_t low = 1, high = most;
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    (cost_at(costs, middle) <= seconds ? high : low) = cost_at(costs, middle) <= seconds ? middle : middle + 1;
  }
  return low;
}

ProbeSchedule::ProbeSchedule(RunWriter& writer, const std::vector<std::unique_ptr<StepObserver>>& observers,
                             int64_t steps, std::optional<double> budget, int64_t first)
    : writer_(writer), observers_(observers), steps_(steps), budget_(budget), wanted_(observers.size(), 0) {
  const std::string stored = budget ? writer.get_meta(kMeta) : "";
  if (!stored.empty()) {
    const Json chosen = Json::parse(stored);
    thinning_ = chosen.at("every").get<int64_t>();
    from_ = chosen.at("from").get<int64_t>();
  }
  for (int64_t step = 0; step < first; ++step) {
    for (size_t i = 0; i < observers.size(); ++i) wanted_[i] += observers[i]->wants(step) ? 1 : 0;
  }
}

void ProbeSchedule::choose(int64_t step, double step_seconds, const std::vector<double>& look_seconds, double spent) {
  std::vector<ProbeCost> costs;
  double at_end = 0;
  for (size_t i = 0; i < observers_.size(); ++i) {
    ProbeCost cost{0, look_seconds[i], observers_[i]->may_skip()};
    for (int64_t later = step; later < steps_; ++later) cost.looks += observers_[i]->wants(later) ? 1 : 0;
    if (observers_[i]->wants_end()) at_end += look_seconds[i];
    costs.push_back(cost);
  }
  from_ = step;
  const double bare = step_seconds * static_cast<double>(steps_);
  thinning_ = least_thinning(costs, *budget_ * bare - spent - at_end);
  const Json stored = {{"budget", *budget_},
                       {"every", thinning_},
                       {"from", from_},
                       {"expected", (cost_at(costs, thinning_) + spent + at_end) / bare},
                       {"step_seconds", step_seconds}};
  writer_.set_meta(kMeta, stored.dump());
}

bool ProbeSchedule::due(size_t index, int64_t step) {
  if (!observers_[index]->wants(step)) return false;
  const int64_t number = wanted_[index]++;
  return step < from_ || !thinned(index) || number % thinning_ == 0;
}

}  // namespace bnlab
