// The statistics by which claims are judged: paired t intervals over seeds, and Holm's correction over claims.
#pragma once

#include <cmath>
#include <span>
#include <string>
#include <vector>

namespace bnlab {

/// Raises `largest` to `value`. A NaN stays one: where something is not a number, nor is the largest of all.
inline void raise_to(double& largest, double value) {
  if (!std::isnan(largest) && !(value <= largest)) largest = value;
}
/// Likewise of the smallest.
inline void lower_to(double& smallest, double value) {
  if (!std::isnan(smallest) && !(value >= smallest)) smallest = value;
}

/// Mean of n paired differences with its two-sided t interval: mean ± t_{n-1, (1+level)/2} * s/sqrt(n).
struct PairedInterval {
  double mean = 0;
  double low = 0;
  double high = 0;
  double standard_error = 0;
  int n = 0;
};

/// `differences`: one value a seed (arms paired by seed). With n < 2 the interval is (-inf, inf). Any NaN gives all
/// NaN.
PairedInterval paired_interval(std::span<const double> differences, double level = 0.95);

/// One-sided p-value of the t test of "mean <= bound" against "mean > bound"; 1 with n < 2 or any NaN.
double p_value_above(const PairedInterval& interval, double bound);
/// Likewise of "mean >= bound" against "mean < bound".
double p_value_below(const PairedInterval& interval, double bound);

/// Holm's step-down adjustment (Holm 1979): adjusted p-values in the order given, each at most 1.
std::vector<double> holm_adjusted(std::span<const double> p_values);

/// The range of directions that supports a claim: a half-line or an interval of effects.
struct Side {
  enum class Kind { kAbove, kBelow, kWithin };
  Kind kind = Kind::kAbove;
  double low = 0;   ///< kAbove: the threshold; kWithin: the lower bound
  double high = 0;  ///< kBelow: the threshold; kWithin: the upper bound

  static Side above(double threshold) { return {Kind::kAbove, threshold, 0}; }
  static Side below(double threshold) { return {Kind::kBelow, 0, threshold}; }
  static Side within(double low, double high) { return {Kind::kWithin, low, high}; }
};

/// Two-sided p-values for the effect lying on the claim's side, and on the other side. `supports` < 0.05 exactly when
/// the whole 95 % interval lies on the claim's side, `opposes` < 0.05 exactly when it lies on the other.
struct SideTest {
  double supports = 1;
  double opposes = 1;
};
SideTest test_side(const PairedInterval& interval, const Side& side);

}  // namespace bnlab
