// The runs of bjorck-fig1, and what becomes of each: a residual network trained at three learning rates, and the first
// steps of the deep one at four.
#pragma once

#include "bnlab/experiments/bjorck/bjorck.h"
#include "bnlab/study/evidence.h"

namespace bnlab::bjorck {

/// The paper's rates are 0.1, 0.003 and 0.0001 over 165 epochs. In a few hundred steps nothing is learned at 0.0001, so
/// that shorter training is at rates closer to the highest.
struct TrainedNetwork {
  std::string model;
  double width;
  int64_t pool, batch, steps;
  double high, middle, low;  ///< learning rates
  std::vector<double> rates() const { return {high, middle, low}; }
  Window last_quarter() const { return {steps - steps / 4, steps}; }
};
TrainedNetwork trained_network(const Setting& setting);

inline constexpr int64_t kTestImages = 1000;  ///< of the test accuracy along training
int64_t steps_between_tests(const TrainedNetwork& network);

/// Trained at the highest, the middle and the lowest rate.
const std::vector<Arm>& with_bn();
const std::vector<Arm>& without_bn();
std::vector<Arm> all_trained();

inline const std::vector<double> kDeepRates = {0.0001, 0.001, 0.01, 0.1};
inline constexpr int64_t kDeepSteps = 8;
/// The deep network's first steps.
Arm deep_at(bool bn, double rate);

/// The evaluation of a trained arm's networks.
Arm tested_after(const Arm& arm);

Plan plan_of_rates(const Setting& setting);
std::vector<std::string> what_was_trained_at_rates(const Setting& setting);

/// "learned", "4 diverged, 1 did not learn": what became of a trained arm's runs. A run that has not diverged has
/// learned if its training accuracy over the last quarter of the steps is above chance by kLearnedMargin.
std::string outcomes_in_words(const ArmRuns& runs, const Arm& arm);

/// 1 for a run one of whose mini-batches had a loss at which a network counts as diverged, else 0.
PerSeed diverged(const ArmRuns& runs, const Arm& arm);

/// Test accuracy behind the last step, 0 to 1.
PerSeed tested(const ArmRuns& runs, const Arm& arm);

}  // namespace bnlab::bjorck
