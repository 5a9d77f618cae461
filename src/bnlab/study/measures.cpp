#include "bnlab/study/measures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "bnlab/record/number_text.h"
#include "bnlab/record/statistics.h"

namespace bnlab {

std::string Window::text() const {
  return fmt::format("steps {} to {}", begin, end - 1);
}

namespace {

/// A value of each step of a train run; `guessed` from the step on at which it diverged.
std::vector<double> of_each_step(RunReader& run, const char* name, double guessed) {
  std::vector<double> values = run.scalars({"train", 0, name}).values;
  const int64_t diverged_at = run.diverged_at();
  if (diverged_at >= 0) {
    values.resize(static_cast<size_t>(diverged_at));
    values.resize(static_cast<size_t>(std::get<TrainSpec>(run.spec()).steps), guessed);
  }
  return values;
}

}  // namespace

std::vector<double> training_accuracy(RunReader& run, int64_t classes) {
  return of_each_step(run, "accuracy", 1.0 / static_cast<double>(classes));
}

std::vector<double> training_loss(RunReader& run, int64_t classes) {
  return of_each_step(run, "loss", std::log(static_cast<double>(classes)));
}

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

bool have_evidence(const std::vector<std::pair<Claim, Evidence>>& claims) {
  return std::all_of(claims.begin(), claims.end(), [](const auto& it) { return it.second.missing.empty(); });
}

double mean_over(const std::vector<double>& values, const Window& window) {
  if (window.begin < 0 || window.begin >= window.end || window.end > static_cast<int64_t>(values.size())) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  const double sum = std::accumulate(values.begin() + window.begin, values.begin() + window.end, 0.0);
  return sum / static_cast<double>(window.end - window.begin);
}

double mean_over(const Series& series, const Window& window) {
  std::vector<double> inside;
  for (size_t i = 0; i < series.steps.size(); ++i) {
    if (series.steps[i] >= window.begin && series.steps[i] < window.end) inside.push_back(series.values[i]);
  }
  return mean_of(inside);
}

std::vector<double> smoothed(const std::vector<double>& values, size_t width) {
  std::vector<double> averages;
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t first = i + 1 > width ? i + 1 - width : 0;
    const double sum = std::accumulate(values.begin() + static_cast<int64_t>(first),
                                       values.begin() + static_cast<int64_t>(i) + 1, 0.0);
    averages.push_back(sum / static_cast<double>(i + 1 - first));
  }
  return averages;
}

namespace {

std::vector<double> ranks(const std::vector<double>& values) {
  std::vector<double> result;
  for (const double value : values) {
    double below = 0, equal = 0;
    for (const double other : values) {
      below += other < value ? 1 : 0;
      equal += other == value ? 1 : 0;
    }
    result.push_back(below + (equal - 1) / 2);
  }
  return result;
}

}  // namespace

double spearman(const std::vector<double>& a, const std::vector<double>& b) {
  const auto nan = [](double value) { return std::isnan(value); };
  if (a.size() != b.size() || a.size() < 2 || std::any_of(a.begin(), a.end(), nan) ||
      std::any_of(b.begin(), b.end(), nan)) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  const std::vector<double> x = ranks(a), y = ranks(b);
  const double middle = static_cast<double>(a.size() - 1) / 2;
  double xy = 0, xx = 0, yy = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    xy += (x[i] - middle) * (y[i] - middle);
    xx += (x[i] - middle) * (x[i] - middle);
    yy += (y[i] - middle) * (y[i] - middle);
  }
  return xy / std::sqrt(xx * yy);  // 0/0 if all of one side are equal
}

double wasserstein1(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size() || a.empty()) return std::numeric_limits<double>::quiet_NaN();
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += std::abs(a[i] - b[i]);
  return sum / static_cast<double>(a.size());
}

Precondition have_learned(const std::string& name, const std::vector<LearnedArm>& arms, int64_t classes) {
  const double chance = 1.0 / static_cast<double>(classes);
  Precondition precondition{name, true, ""};
  for (const auto& arm : arms) {
    double least = std::numeric_limits<double>::infinity();
    for (const double accuracy : arm.accuracy) {
      if (!(accuracy >= chance + kLearnedMargin)) precondition.holds = false;
      lower_to(least, accuracy);
    }
    precondition.detail += fmt::format("{}{}: lowest training accuracy of a seed {:.2f}",
                                       precondition.detail.empty() ? "" : "; ", arm.label, least);
  }
  precondition.detail += fmt::format(" (asked: chance {:.2f} + {:.2f})", chance, kLearnedMargin);
  return precondition;
}

std::vector<double> pseudo_values(size_t n, const std::function<double(const std::vector<size_t>& places)>& statistic) {
  std::vector<size_t> all(n);
  std::iota(all.begin(), all.end(), size_t{0});
  const double whole = statistic(all), count = static_cast<double>(n);
  std::vector<double> values;
  for (size_t left_out = 0; left_out < n; ++left_out) {
    std::vector<size_t> others = all;
    others.erase(others.begin() + static_cast<int64_t>(left_out));
    values.push_back(count * whole - (count - 1) * statistic(others));
  }
  return values;
}

std::string mean_and_interval(const std::vector<double>& values, int decimals) {
  const PairedInterval interval = paired_interval(values);
  const auto text = [&](double value) { return fixed_text(value, decimals); };
  if (interval.n < 2) return text(interval.mean);
  return fmt::format("{} [{}, {}]", text(interval.mean), text(interval.low), text(interval.high));
}

}  // namespace bnlab
