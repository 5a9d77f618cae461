// The worlds of experiments/bjorck/fig1.cpp, fig3.cpp and fig4.cpp.
#pragma once

#include <algorithm>

#include "tests/experiments/directions.h"

namespace bnlab::testing {

/// The loss of a network that has diverged.
inline constexpr double kBrokenLoss = 5000;

/// Accuracies of the network at the highest, the middle and the lowest rate, in training and on test images.
struct AtRates {
  std::vector<double> trained, tested;
};

inline World rates_world(const AtRates& bn, const AtRates& plain, const std::set<std::string>& broken) {
  World world;
  const std::vector<std::string> rates = {"highest rate", "middle rate", "lowest rate"};
  for (size_t i = 0; i < rates.size(); ++i) {
    world["BN, " + rates[i]] = {.accuracy = bn.trained[i], .tested = bn.tested[i]};
    world["no BN, " + rates[i]] = {.accuracy = plain.trained[i], .tested = plain.tested[i]};
  }
  for (const std::string& arm : broken) world[arm].loss = kBrokenLoss;
  return world;
}

inline Case bjorck_rates_case() {
  const Truth as_the_paper = {rates_world({{0.8, 0.7, 0.6}, {0.75, 0.6, 0.55}}, {{0.25, 0.3, 0.5}, {0.25, 0.2, 0.54}},
                                          {"no BN, highest rate", "no BN, first steps at 0.1"}),
                              {{"highest-rate-is-best", 15},
                               {"alike-at-lowest-rate", 1},
                               {"rate-not-bn", 19},
                               {"faster-at-highest-rate", 20},
                               {"bn-stands-highest-rate", 55},
                               {"bn-better-at-middle-rate", 40},
                               {"deep-diverges-without-bn", 1},
                               {"deep-stands-lowest-rate", 0},
                               {"trained-diverges-without-bn", 1}}};
  const Truth otherwise = {rates_world({{0.6, 0.7, 0.7}, {0.5, 0.66, 0.6}}, {{0.9, 0.8, 0.65}, {0.8, 0.7, 0.4}},
                                       {"BN, first steps at 0.1", "no BN, first steps at 0.0001"}),
                           {{"highest-rate-is-best", -16},
                            {"alike-at-lowest-rate", 20},
                            {"rate-not-bn", -30},
                            {"faster-at-highest-rate", -10},
                            {"bn-stands-highest-rate", -30},
                            {"bn-better-at-middle-rate", -4},
                            {"deep-diverges-without-bn", -1},
                            {"deep-stands-lowest-rate", 1},
                            {"trained-diverges-without-bn", 0}}};
  const std::vector<double> guessing(3, kChance);
  return {"bjorck-fig1",
          {as_the_paper, otherwise},
          rates_world({guessing, guessing}, {guessing, guessing}, {}),
          {"deep-diverges-without-bn", "deep-stands-lowest-rate", "trained-diverges-without-bn"}};
}

/// A network whose loss first rises at the step size `crossing` on the first mini-batch, and on each that follows at
/// one that is larger by the share `growth` of it.
struct Stepping {
  double crossing, growth, gradient;

  MadeUp made_up() const {
    return {.values = {{"relative-loss/crossing", crossing}, {"relative-loss/gradient_norm", gradient}},
            .growth = {{"relative-loss/crossing", growth}}};
  }
  /// Mean of ln(crossing) over mini-batches.
  double log_crossing(int first, int last) const {
    double sum = 0;
    for (int batch = first; batch <= last; ++batch) sum += ln(crossing * (1 + growth * batch));
    return sum / (last - first + 1);
  }
};

inline Truth stepping_truth(const Stepping& bn, const Stepping& plain) {
  const auto more = [&](int first, int last) { return bn.log_crossing(first, last) - plain.log_crossing(first, last); };
  return {{{"BN", bn.made_up()}, {"no BN", plain.made_up()}},
          {{"larger-steps", more(0, 3)},
           {"orders-of-magnitude", more(0, 3)},
           {"larger-steps-at-first", more(0, 0)},
           {"orders-of-magnitude-at-first", more(0, 0)},
           {"larger-steps-later", more(1, 3)},
           {"longer-steps", more(0, 3) + ln(bn.gradient / plain.gradient)}}};
}

inline Case bjorck_stepping_case() {
  const Stepping nowhere{1e-5, 0, 1};  // the nearest point: the loss falls nowhere
  return {"bjorck-fig3",
          {stepping_truth({0.5, 0.3, 3}, {1e-3, 0.1, 7}), stepping_truth({2e-3, 0.2, 5}, {0.4, 0.5, 4})},
          {{"BN", nowhere.made_up()}, {"no BN", nowhere.made_up()}}};
}

/// Factors by which an update raises the variances, and the means, of layers 1, 7 and 13 of the smallest network.
struct Raises {
  double low, middle, high, low_mean, high_mean;

  MadeUp made_up(double loss) const {
    MadeUp made_up{.loss = loss};
    const auto put = [&](const std::string& layer, const std::string& what, double before, double factor) {
      made_up.values["update-fractions/" + layer + "/" + what + "_before"] = before;
      made_up.values["update-fractions/" + layer + "/" + what + "_after"] = before * factor;
    };
    put("1", "variance", 1, low);
    put("7", "variance", 2, middle);
    put("13", "variance", 3, high);
    put("1", "mean", 0.1, low_mean);
    put("13", "mean", 0.3, high_mean);
    return made_up;
  }
};

/// ln of a factor, of which at most 10,000 count.
inline double ln_counted(double factor) {
  return ln(std::min(factor, 1e4));
}

inline Truth updates_truth(const Raises& plain, double bn_rate, double bn_length) {
  return {{{"no BN, rate 0.005", plain.made_up(kBrokenLoss)},
           {"BN, rate 0.005", Raises{1, 1, bn_rate, 1, 1}.made_up(1)},
           {"BN, rate 0.5", Raises{1, 1, bn_length, 1, 1}.made_up(1)}},
          {{"upper-explodes", ln_counted(plain.high)},
           {"lower-stays", ln_counted(plain.low)},
           {"upper-beyond-lower", ln_counted(3 * plain.high / plain.low)},
           {"bn-contains-length", ln_counted(bn_length)},
           {"bn-contains-rate", ln_counted(bn_rate)},
           {"middle-explodes", ln_counted(plain.middle)},
           {"upper-means-explode", ln_counted(plain.high_mean)},
           {"lower-means-stay", ln_counted(plain.low_mean)}}};
}

inline Case bjorck_updates_case() {
  const Raises explodes{2, 500, 1e6, 1.5, 1e3}, does_not{50, 3, 4, 40, 5};
  return {"bjorck-fig4",
          {updates_truth(explodes, 2, 5), updates_truth(does_not, 800, 900)},
          {{"no BN, rate 0.005", explodes.made_up(2)}}};
}

}  // namespace bnlab::testing
