// What the experiments on the results of BN share: how their networks are trained, a grid of learning rates with BN and
// without, and comparisons at equal loss.
#pragma once

#include <string>
#include <vector>

#include "bnlab/study/arms.h"
#include "bnlab/study/measures.h"

namespace bnlab::results {

/// With BN or without.
struct Kind {
  std::string name, norm, color;
};
extern const Kind kBn, kPlain;

/// A network and how long it is trained. Plain SGD at a fixed rate, pixels z-scored.
struct Size {
  std::string words;  ///< what it is, for people
  std::string model;
  Options options;
  int64_t pool;  ///< images are reduced to means of so many pixels a side
  int64_t pad_to;
  int64_t batch, steps;
};
TrainSpec train_spec(const Size& size, const Setting& setting, int64_t seed, const std::string& norm, double rate);
/// The data as the network gets it, and plain SGD: "on Fashion-MNIST, reduced to 14×14 …, batch 64, 300 steps …".
std::string what_was_trained(const Size& size, const Setting& setting);

/// The grid of "results-speed" and "results-rates": every kind at every rate.
extern const std::vector<double> kRates;
Size grid_size(Scale scale);
Arm arm(const Kind& kind, double rate);   ///< "BN, rate 0.1"
std::vector<Arm> arms(const Kind& kind);  ///< in the order of kRates
Plan grid_plan(const Setting& setting);   ///< all of them
std::string what_grid_was_trained(const Setting& setting);
Window last_quarter(const Size& size);  ///< the steps by which a rate is judged

/// For each seed the place in kRates of the rate that gives the lowest mean training loss over the last quarter of the
/// steps **on the other seeds**, so that no seed chooses the rate at which it is judged (a single seed has no choice).
/// Empty while runs are missing.
std::vector<size_t> best_rates(const ArmRuns& runs, const Kind& kind);

/// One run's way down: `losses` from observation to observation, and beside each another quantity, e.g. the steps made.
struct Path {
  std::vector<double> losses, values;
};

/// The lowest loss that both paths reach: the higher one of their lowest.
double reached_by_both(const Path& one, const Path& other);
/// The value where the path first comes down to this loss, interpolated between the observations around it; NaN if it
/// never does.
double value_at(const Path& path, double loss);
/// Values against the loss reached, at losses that fall by a tenth of their size: mean, lowest and highest of the
/// paths, as far as all of them get.
std::vector<BandPoint> by_loss(const std::string& arm, const std::vector<Path>& paths);

}  // namespace bnlab::results
