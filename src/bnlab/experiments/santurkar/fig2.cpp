#include <fmt/format.h>

#include <cmath>

#include "bnlab/experiments/santurkar/santurkar.h"
#include "bnlab/experiments/santurkar/vgg.h"

namespace bnlab {
namespace {

using namespace santurkar;

constexpr int64_t kLayers[] = {2, 9, 13};  // of the paper's 13
const char* const kBn = "BN, rate 0.1";
const char* const kPlain = "no BN, rate 0.1";
const char* const kNoisy = "noisy BN, rate 0.1";
const char* const kNoise = "noise, no BN, rate 0.1";

// The paper says that the two "almost" coincide; it gives no number. Ours: five points of training accuracy.
constexpr double kAlmostTheSame = 5;
constexpr double kChanceMargin = 10;  // percentage points; the project's bound for "has learned"

const std::vector<Arm>& arms() {
  static const std::vector<Arm> all = {plain(0.1), bn(0.1), noisy_bn(), noise()};
  return all;
}

std::vector<int64_t> layers(const Protocol& p) {
  std::vector<int64_t> all;
  for (const int64_t number : kLayers) all.push_back(layer_at(p, number));
  return all;
}

std::vector<std::string> what_was_run(const Setting& setting) {
  return {
      what_was_trained(setting),
      "Two more networks have noise behind every normalization, or behind every convolution where there is none: "
      "per channel and step a mean from U(−0.5, 0.5) and a factor from U(1, 1.25), and around these, per value, "
      "U(±0.1) and a normal of standard deviation 0.1 (the paper's Algorithm 1; height and width count as batch). "
      "In evaluation there is no noise.",
      "How steady a layer is: how far one training step moves the mean and the variance of its values on the same "
      "128 images, averaged over channels, in units of the standard deviation and of the variance. With noise, both "
      "looks see fresh noise, as training does."};
}

Figure changes_figure(const TrainedArms& trained, const Protocol& p) {
  std::vector<Panel> charts;
  for (const int64_t layer : layers(p)) {
    for (const char* what : {"mean", "variance"}) {
      const Key key{"moment-changes", layer, what};
      charts.push_back({fmt::format("layer #{}: {}", layer, what),
                        band_chart(trained.curves(names_of(arms()), key), styles_of(arms()), "training step",
                                   fmt::format("relative change of the {}", what), {.log_y = true})});
    }
  }
  return {
      "c", "How far one step moves a layer's mean and variance",
      "Change of a channel's mean (in standard deviations) and variance (in variances) over one training step, "
      "averaged over channels; logarithmic. If BN helped by keeping distributions steady, the noisy network (purple), "
      "whose distributions jump about in every step, should train no better than the plain one (blue).",
      panels(charts, 2)};
}

std::vector<std::pair<Claim, Evidence>> claims(const TrainedArms& trained, const Protocol& p) {
  const Window window = second_half(p);
  const auto accuracy = [&](const char* arm) { return trained.accuracy(arm, window); };
  const double chance = 1.0 / static_cast<double>(trained.setting().data.shape.classes);
  const std::string statistic = "mean training accuracy of the first minus the second, over the window";
  std::vector<std::pair<Claim, Evidence>> all = {
      {{"noisy-bn-as-good-as-bn",
        "With noise behind every BN layer, the network trains almost as well as with BN alone.",
        "The performance difference between models with BatchNorm layers, and \"noisy\" BatchNorm layers is almost "
        "non-existent. (Section 2.1)",
        statistic + " (noisy BN, BN); the bounds, five points, are our reading of \"almost\"", window.text(),
        "percentage points", Side::within(-kAlmostTheSame, kAlmostTheSame), std::nullopt},
       trained.evidence({kNoisy, kBn}, {trained.learned({kBn}, window)},
                        points_between(accuracy(kNoisy), accuracy(kBn)))},
      {{"noisy-bn-better-than-plain", "The network with noisy BN trains better than the one without BN.",
        "Both these networks perform much better than standard networks. (Section 2.1)",
        statistic + " (noisy BN, no BN)", window.text(), "percentage points", Side::above(0), std::nullopt},
       trained.evidence({kNoisy, kPlain}, {trained.learned({kNoisy}, window)},
                        points_between(accuracy(kNoisy), accuracy(kPlain)))},
      {{"noise-stops-the-plain-network", "The same noise without BN keeps the network from learning at all.",
        "Adding the same amount of noise to the activations of the standard (non-BatchNorm) network prevents it from "
        "training entirely. (Section 2.1)",
        "mean training accuracy over the window, above chance; learning is 10 points above it", window.text(),
        "percentage points", Side::below(kChanceMargin), std::nullopt},
       trained.evidence({kNoise}, {}, [&](size_t i) { return 100 * (accuracy(kNoise)[i] - chance); })}};
  for (const int64_t layer : layers(p)) {
    const Key key{"moment-changes", layer, "mean"};
    all.push_back(
        {{fmt::format("noisy-bn-less-steady-{}", layer),
          fmt::format("A step moves the means of layer #{} more with noisy BN than without BN.", layer),
          "The \"noisy\" BatchNorm network has qualitatively less stable distributions than even the standard, "
          "non-BatchNorm network. (Section 2.1)",
          "ln of the ratio, noisy BN to no BN, of the mean relative change of a channel's mean over one step",
          window.text(), "log ratio", Side::above(0), std::nullopt},
         trained.evidence({kNoisy, kPlain}, {trained.learned({kNoisy, kPlain}, window)},
                          log_ratio(trained.mean(kNoisy, key, window), trained.mean(kPlain, key, window)))});
  }
  return all;
}

Findings findings(const Setting& setting, Results& results) {
  const Protocol p = protocol(setting.scale);
  const TrainedArms trained(setting, results, arms());
  const std::string seed = std::to_string(setting.seeds.front());
  return {{training_figure("a", trained, arms(), p.steps,
                           "Look at purple (BN with noise): does it stay with red (BN), or fall to blue (without)?"),
           {"b", "Distribution of a layer's activations over training",
            "As in Fig. 1, of three layers (rows), without BN, with BN and with noisy BN (columns), seed " + seed +
                ". Time runs downwards. The right column's ridges jump from step to step: that is the noise.",
            activation_ridges(trained, {kPlain, kBn, kNoisy}, layers(p))},
           changes_figure(trained, p)},
          claims(trained, p),
          {}};
}

}  // namespace

Experiment santurkar_fig2() {
  return {"santurkar-fig2", "Noisy batch normalization",
          {"M10"},          kSource,
          "Fig. 2 and 8",   "Does BN still help when noise makes every layer's distribution jump about in every step?",
          runs_of(arms()),  what_was_run,
          findings};
}

}  // namespace bnlab
