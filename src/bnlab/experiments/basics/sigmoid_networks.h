// The runs of the experiment "sigmoid-saturation", what is measured on them, and their figures.
#pragma once

#include <string>
#include <vector>

#include "bnlab/record/figure.h"
#include "bnlab/study/arms.h"
#include "bnlab/study/evidence.h"

namespace bnlab::sigmoids {

/// A sigmoid is saturated where its derivative is below a tenth of the largest that it can have, 1/4. Ours.
inline constexpr double kSaturated = 0.025;

/// A perceptron of sigmoids: an arm.
struct SigmoidNet {
  int64_t layers;
  double scale;  ///< of the initial weights, in units of Glorot's
  bool bn;
};
/// The paper's network, with and without BN; one of ten layers; and that with large initial weights.
inline constexpr SigmoidNet kPlain{3, 1, false}, kBn{3, 1, true}, kDeepPlain{10, 1, false}, kDeepBn{10, 1, true},
    kLargePlain{10, 10, false}, kLargeBn{10, 10, true};

Arm arm_of(const SigmoidNet& net);
ArmStyle look_of(const SigmoidNet& net);  ///< in charts of networks of one depth, which need not say it
std::vector<Arm> arms_of(const std::vector<SigmoidNet>& nets);
inline std::vector<SigmoidNet> deep_nets() {
  return {kDeepPlain, kDeepBn, kLargePlain, kLargeBn};
}

std::vector<std::string> what_was_run(const Setting& setting);

Window at_start();  ///< step 0, before anything is learned
Window whole(const Setting& setting);
Window first_half(const Setting& setting);
Window second_half(const Setting& setting);

PerSeed test_accuracy(const ArmRuns& runs, const SigmoidNet& net, const Window& window);  ///< 0 to 1, mean over looks
/// Share (0 to 1) of what a layer's sigmoids get that saturates them, mean over the looks in the window.
PerSeed saturated(const ArmRuns& runs, const SigmoidNet& net, int64_t layer, const Window& window);
PerSeed saturated(const ArmRuns& runs, const SigmoidNet& net, const Window& window);  ///< mean over hidden layers
/// log10 of the gradient's norm of a layer's weights, over that of the last hidden layer's; each a mean over the
/// window.
PerSeed gradient(const ArmRuns& runs, const SigmoidNet& net, int64_t layer, const Window& window);

/// How far each unit of the last hidden layer drifts: the range over the looks in the window of a percentile of its
/// input, mean of the 15th, 50th and 85th, in units of its band's width, the 85th minus the 15th, mean over the looks.
std::vector<double> drifts_of_units(RunReader& run, int64_t layer, const Window& window);
PerSeed drift(const ArmRuns& runs, const SigmoidNet& net, const Window& window);  ///< of the median unit

Figure bands_figure(const ArmRuns& runs);       ///< the input of a typical unit
Figure accuracy_figure(const ArmRuns& runs);    ///< on test images, of all networks
Figure drifts_figure(const ArmRuns& runs);      ///< of all units
Figure start_figure(const ArmRuns& runs);       ///< where sigmoids stand at the start
Figure saturation_figure(const ArmRuns& runs);  ///< share of saturated sigmoids by layer
Figure gradients_figure(const ArmRuns& runs);   ///< norm by layer

}  // namespace bnlab::sigmoids
