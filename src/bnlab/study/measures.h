// What experiments measure on stored runs. A diverged run counts with chance accuracy and log-loss ln(classes) from the
// step at which it diverged.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bnlab/record/claim.h"
#include "bnlab/record/run_store.h"

namespace bnlab {

/// Steps begin <= t < end.
struct Window {
  int64_t begin = 0;
  int64_t end = 0;
  std::string text() const;  ///< "steps 200 to 399"
};

/// The batch accuracy of each step of a train run, 0 to 1; after a divergence, 1/classes up to the spec's last step.
std::vector<double> training_accuracy(RunReader& run, int64_t classes);

/// The batch loss (cross-entropy) of each step likewise; after a divergence, ln(classes).
std::vector<double> training_loss(RunReader& run, int64_t classes);

/// NaN for none.
double mean_of(const std::vector<double>& values);

/// Whether no claim lacks runs, so that an answer can be stated.
bool have_evidence(const std::vector<std::pair<Claim, Evidence>>& claims);

/// Mean of `values` over the window. NaN if the window reaches beyond them.
double mean_over(const std::vector<double>& values, const Window& window);

/// Mean of a series' values inside the window. NaN if there are none.
double mean_over(const Series& series, const Window& window);

/// Moving average over the `width` values that end at each place (fewer at the start).
std::vector<double> smoothed(const std::vector<double>& values, size_t width);

/// Spearman's rank correlation; equal values share their mean rank. NaN for fewer than 2 values, a NaN among them, or
/// if all of one side are equal.
double spearman(const std::vector<double>& a, const std::vector<double>& b);

/// Wasserstein-1 distance between two samples of equal size, each sorted: the mean distance of their order statistics.
double wasserstein1(const std::vector<double>& a, const std::vector<double>& b);

/// Whether every run has learned over the window: training accuracy above chance by at least kLearnedMargin.
inline constexpr double kLearnedMargin = 0.10;
struct LearnedArm {
  std::string label;
  std::vector<double> accuracy;  ///< over the window, one a seed
};
Precondition have_learned(const std::string& name, const std::vector<LearnedArm>& arms, int64_t classes);

/// The jackknife's pseudo-values (Tukey 1958) of a number that only all n runs together have, such as a spread:
/// n θ − (n − 1) θ without run i. They are judged like one value a seed: their mean is the estimate, freed of its bias
/// of order 1/n, their t interval its interval. `statistic` takes the places of the runs that count.
std::vector<double> pseudo_values(size_t n, const std::function<double(const std::vector<size_t>& places)>& statistic);

/// "12.3 [11.0, 13.6]" from one value a seed: mean and 95 % t interval; only the mean for fewer than 2 values.
std::string mean_and_interval(const std::vector<double>& values, int decimals);

}  // namespace bnlab
