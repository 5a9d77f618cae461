// Which of the steps that probes want they are shown, so that they cost no more than a budget.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bnlab/train/step_observer.h"
#include "bnlab/train/training_record.h"

namespace bnlab {

/// What a run's probes would cost from some step on. The steps that a probe wants are numbered from 0 over the whole
/// run.
struct ProbeCost {
  int64_t first = 0;      ///< number of the next step that it wants
  int64_t end = 0;        ///< and that behind the last one
  double seconds = 0;     ///< of processors, for a look
  bool thinnable = true;  ///< see StepObserver::may_skip()
};

/// The seconds that the probes cost if each thinnable one is shown the steps whose number is a multiple of `n`.
double cost_at(const std::vector<ProbeCost>& costs, int64_t n);

/// The smallest n for which that is at most `seconds`. If none is enough, one at which thinnable probes see nothing
/// more.
int64_t least_thinning(const std::vector<ProbeCost>& costs, double seconds);

/// The schedule of one run. Without a budget every probe sees what it wants. With one, it is chosen when kWarmSteps
/// steps beside a process's first have been timed, and from there on each probe is shown every n-th of the steps that
/// it wants (counted from the first step of all). n and the step are stored with the run, so that a resumed run goes on
/// with them.
class ProbeSchedule {
 public:
  static constexpr size_t kWarmSteps = 3;

  /// `budget`: share of the processor time of all steps without probes, e.g. 0.05. `first`: the step at which the run
  /// begins or goes on.
  ProbeSchedule(TrainingRecord& record, const std::vector<std::unique_ptr<StepObserver>>& observers, int64_t steps,
                std::optional<double> budget, int64_t first);

  /// Whether choose() is to be called before anything is shown, `steps` steps having been timed.
  bool to_be_chosen(size_t steps) const { return budget_ && thinning_ == 0 && steps >= kWarmSteps; }

  /// Chooses n, for `step` and those behind it. `step_seconds`: of a step without probes; `look_seconds`: of a look of
  /// each probe; `spent`: what probes have cost so far.
  void choose(int64_t step, double step_seconds, const std::vector<double>& look_seconds, double spent);

  /// Whether probe `index` is shown `step`. To be asked for each step once, in order.
  bool due(size_t index, int64_t step);

 private:
  bool thinned(size_t index) const { return thinning_ > 1 && observers_[index]->may_skip(); }

  TrainingRecord& record_;
  const std::vector<std::unique_ptr<StepObserver>>& observers_;
  int64_t steps_;
  std::optional<double> budget_;
  int64_t thinning_ = 0;         ///< 0: not chosen
  int64_t from_ = 0;             ///< the step at which it was chosen
  std::vector<int64_t> wanted_;  ///< of each probe: steps wanted so far
};

}  // namespace bnlab
