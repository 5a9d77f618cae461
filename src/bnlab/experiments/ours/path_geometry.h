// The shape of a training path, from the sketches of its gradients (probe "gradient-sketch"). For plain gradient
// descent: w_{t+1} = w_t - rate*g_t, so that every piece of the path is a sum of gradients.
#pragma once

#include <vector>

#include "bnlab/record/run_store.h"

namespace bnlab {

class PathGeometry {
 public:
  /// Reads a run whose sketches were taken at every step. Throws StoreError if one is missing.
  explicit PathGeometry(RunReader& run);

  int64_t steps() const { return static_cast<int64_t>(updates_.size()); }

  /// cos between the updates of steps t and t + lag.
  double cosine(int64_t t, int64_t lag) const;
  /// Its mean over begin <= t, t + lag < end.
  double mean_cosine(int64_t lag, int64_t begin, int64_t end) const;
  /// Path length over displacement between two steps: 1 for a straight line, sqrt(end - begin) for a random walk of
  /// equal steps.
  double tortuosity(int64_t begin, int64_t end) const;
  /// cos between the update of step t and what is left of the way to the end.
  double cosine_to_end(int64_t t) const;
  /// The places at steps 0 … steps() on the two main directions of the path (principal components of its places), each
  /// with the sign that makes its largest entry positive. The singular values and vectors have converged to 1e-10 of
  /// the largest value.
  std::vector<std::pair<double, double>> projected() const;

 private:
  std::vector<std::vector<double>> updates_;  // sketches of -rate*g
  std::vector<double> squares_;               // of the sketches' lengths
  std::vector<double> lengths_;               // exact
  std::vector<double> remaining_cosine_;
};

}  // namespace bnlab
