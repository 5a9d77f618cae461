#include "bnlab/train/probe_schedule.h"

#include <algorithm>

#include "bnlab/record/parse_json.h"

namespace bnlab {
namespace {

constexpr char kMeta[] = "probe_schedule";

}  // namespace

double cost_at(const std::vector<ProbeCost>& costs, int64_t n) {
  const auto multiples_below = [n](int64_t number) { return (number + n - 1) / n; };  // 0 is one
  double seconds = 0;
  for (const ProbeCost& cost : costs) {
    const int64_t looks =
        cost.thinnable ? multiples_below(cost.end) - multiples_below(cost.first) : cost.end - cost.first;
    seconds += static_cast<double>(looks) * cost.seconds;
  }
  return seconds;
}

int64_t least_thinning(const std::vector<ProbeCost>& costs, double seconds) {
  int64_t none = 1;
  for (const ProbeCost& cost : costs) none = std::max(none, cost.end);
  int64_t n = 1;
  while (n < none && cost_at(costs, n) > seconds) ++n;
  return n;
}

ProbeSchedule::ProbeSchedule(TrainingRecord& record, const std::vector<std::unique_ptr<StepObserver>>& observers,
                             int64_t steps, std::optional<double> budget, int64_t first)
    : record_(record), observers_(observers), steps_(steps), budget_(budget), wanted_(observers.size(), 0) {
  const std::string stored = budget ? record.get_meta(kMeta) : "";
  if (!stored.empty()) {
    const Json chosen = parse_json(stored, "probe_schedule of the run");
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
    ProbeCost cost{wanted_[i], wanted_[i], look_seconds[i], observers_[i]->may_skip()};
    for (int64_t later = step; later < steps_; ++later) cost.end += observers_[i]->wants(later) ? 1 : 0;
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
  record_.set_meta(kMeta, stored.dump());
}

bool ProbeSchedule::due(size_t index, int64_t step) {
  if (!observers_[index]->wants(step)) return false;
  const int64_t number = wanted_[index]++;
  return step < from_ || !thinned(index) || number % thinning_ == 0;
}

}  // namespace bnlab
