#include "bnlab/study/evidence.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace bnlab {
namespace {

PerSeed combined(const PerSeed& a, const PerSeed& b, const std::function<double(double, double)>& combine) {
  PerSeed result;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) result.push_back(combine(a[i], b[i]));
  return result;
}

}  // namespace

PerSeed each(const ArmRuns& runs, const Arm& arm, const std::function<double(RunReader& run)>& number) {
  PerSeed numbers;
  for (RunReader* run : runs.of(arm)) numbers.push_back(number(*run));
  return numbers;
}

PerSeed accuracy(const ArmRuns& runs, const Arm& arm, const Window& window) {
  return each(runs, arm, [&](RunReader& run) { return mean_over(training_accuracy(run, runs.classes()), window); });
}

PerSeed mean(const ArmRuns& runs, const Arm& arm, const Key& key, const Window& window) {
  return each(runs, arm, [&](RunReader& run) { return mean_over(run.scalars(key), window); });
}

PerSeed test_error(const ArmRuns& runs, const Arm& arm) {
  return each(runs, arm, [&](RunReader& run) {
    const double chance = 1.0 / static_cast<double>(runs.classes());
    const Series accuracy = run.scalars({"accuracy", 0, "test_accuracy"});
    if (run.diverged_at() >= 0) return 100 * (1 - chance);
    return accuracy.values.empty() ? NAN : 100 * (1 - accuracy.values.back());
  });
}

PerSeed minus(const PerSeed& a, const PerSeed& b) {
  return combined(a, b, [](double x, double y) { return x - y; });
}
PerSeed log_ratio(const PerSeed& a, const PerSeed& b) {
  return combined(a, b, [](double x, double y) { return std::log(x / y); });
}
PerSeed points_between(const PerSeed& a, const PerSeed& b) {
  return combined(a, b, [](double x, double y) { return 100 * (x - y); });
}

PerSeed mean_of_all(const std::vector<PerSeed>& numbers) {
  PerSeed sum = numbers.front();
  for (size_t k = 1; k < numbers.size(); ++k) sum = combined(sum, numbers[k], std::plus<>());
  for (double& value : sum) value /= static_cast<double>(numbers.size());
  return sum;
}

Evidence paired(const ArmRuns& runs, const std::vector<Arm>& arms, std::vector<Precondition> preconditions,
                const PerSeed& effects) {
  Evidence evidence;
  evidence.preconditions = std::move(preconditions);
  for (const Arm& arm : arms) {
    if (!runs.complete(arm)) {
      evidence.missing = fmt::format("runs of \"{}\" are missing", arm.name());
      return evidence;
    }
    for (const std::string& id : runs.ids(arm)) evidence.runs.push_back(id);
  }
  evidence.per_seed = effects;
  return evidence;
}

Precondition learned(const ArmRuns& runs, const std::vector<Arm>& arms, const Window& window) {
  std::vector<LearnedArm> learned;
  for (const Arm& arm : arms) learned.push_back({arm.name(), accuracy(runs, arm, window)});
  return have_learned("arms-have-learned", learned, runs.classes());
}

Precondition loss_halved(const ArmRuns& runs, const std::vector<Arm>& arms, const Window& window) {
  constexpr double kHalf = 0.5;
  Precondition precondition{"arms-have-learned", true, ""};
  for (const Arm& arm : arms) {
    double most = 0;
    for (RunReader* run : runs.of(arm)) {
      const std::vector<double> loss = run->scalars({"train", 0, "loss"}).values;
      const double share = loss.empty() ? NAN : mean_over(loss, window) / loss.front();
      if (!(share <= kHalf)) precondition.holds = false;
      raise_to(most, share);
    }
    precondition.detail += fmt::format("{}{}: loss over the window at most {:.2g} of the first",
                                       precondition.detail.empty() ? "" : "; ", arm.name(), most);
  }
  precondition.detail += fmt::format(" (asked: {})", kHalf);
  return precondition;
}

}  // namespace bnlab
