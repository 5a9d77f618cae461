#include <fmt/format.h>

#include <cmath>

#include "bnlab/experiments/santurkar/santurkar.h"
#include "bnlab/experiments/santurkar/vgg.h"
#include "bnlab/study/curves.h"
#include "bnlab/study/evidence.h"

namespace bnlab {
namespace {

using namespace santurkar;

constexpr int64_t kLayers[] = {2, 9, 13};  // of the paper's 13
const Arm kPlain = plain(0.1), kBn = bn(0.1), kNoisy = noisy_bn(), kNoise = noise();
const std::vector<Arm> kArms = {kPlain, kBn, kNoisy, kNoise};

// The paper says that the two "almost" coincide; it gives no number. Ours: five points of training accuracy.
constexpr double kAlmostTheSame = 5;
constexpr double kChanceMargin = 10;  // percentage points; the project's bound for "has learned"

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

Figure changes_figure(const ArmRuns& runs, const Protocol& p) {
  std::vector<Panel> charts;
  for (const int64_t layer : layers(p)) {
    for (const char* what : {"mean", "variance"}) {
      const Key key{"moment-changes", layer, what};
      charts.push_back({fmt::format("layer #{}: {}", layer, what),
                        band_chart(curves(runs, kArms, key), styles_of(kArms), "training step",
                                   fmt::format("relative change of the {}", what), {.log_y = true})});
    }
  }
  return {
      "c", "How far one step moves a layer's mean and variance",
      "Change of a channel's mean (in standard deviations) and variance (in variances) over one training step, of what "
      "the ReLU gets, noise included, averaged over channels; logarithmic. If BN helped by keeping distributions "
      "steady, the noisy network (purple), whose distributions jump about in every step, should train no better than "
      "the plain one (blue).",
      panels(charts, 2)};
}

std::vector<std::pair<Claim, Evidence>> training_claims(const ArmRuns& runs, const Protocol& p) {
  const Window window = second_half(p);
  const PerSeed bn = accuracy(runs, kBn, window), plain = accuracy(runs, kPlain, window),
                noisy = accuracy(runs, kNoisy, window), noise = accuracy(runs, kNoise, window);
  const PerSeed chance(noise.size(), 1.0 / static_cast<double>(runs.classes()));
  const std::string statistic = "mean training accuracy of the first minus the second, over the window";
  return {{{.id = "noisy-bn-as-good-as-bn",
            .sentence = "With noise behind every BN layer, the network trains almost as well as with BN alone.",
            .quote = "The performance difference between models with BatchNorm layers, and \"noisy\" BatchNorm layers "
                     "is almost non-existent. (Section 2.1)",
            .statistic = statistic + " (noisy BN, BN); the bounds, five points, are our reading of \"almost\"",
            .window = window.text(),
            .unit = "percentage points",
            .side = Side::within(-kAlmostTheSame, kAlmostTheSame),
            .paper_value = {},
            .rank = Rank::kPrimary},
           paired(runs, {kNoisy, kBn}, {learned(runs, {kBn}, window)}, points_between(noisy, bn))},
          {{.id = "noisy-bn-better-than-plain",
            .sentence = "The network with noisy BN trains better than the one without BN.",
            .quote = "Both these networks perform much better than standard networks. (Section 2.1)",
            .statistic = statistic + " (noisy BN, no BN)",
            .window = window.text(),
            .unit = "percentage points",
            .side = Side::above(0),
            .paper_value = {},
            .rank = Rank::kPrimary},
           paired(runs, {kNoisy, kPlain}, {learned(runs, {kNoisy}, window)}, points_between(noisy, plain))},
          {{.id = "noise-stops-the-plain-network",
            .sentence = "The same noise without BN keeps the network from learning at all.",
            .quote = "Adding the same amount of noise to the activations of the standard (non-BatchNorm) network "
                     "prevents it from training entirely. (Section 2.1)",
            .statistic = "mean training accuracy over the window, above chance; learning is 10 points above it",
            .window = window.text(),
            .unit = "percentage points",
            .side = Side::below(kChanceMargin),
            .paper_value = {},
            .rank = Rank::kPrimary},
           // A network that learns nothing without noise cannot be stopped by it.
           paired(runs, {kNoise, kPlain}, {learned(runs, {kPlain}, window)}, points_between(noise, chance))}};
}

std::vector<std::pair<Claim, Evidence>> steadiness_claims(const ArmRuns& runs, const Protocol& p) {
  const Window window = second_half(p);
  const Precondition both = learned(runs, {kNoisy, kPlain}, window);
  const auto claim = [&](const std::string& id, const std::string& which,
                         const PerSeed& effects) -> std::pair<Claim, Evidence> {
    return {
        {.id = id,
         .sentence = fmt::format("A step moves the means of {} more with noisy BN than without BN.", which),
         .quote = "The \"noisy\" BatchNorm network has qualitatively less stable distributions than even the "
                  "standard, non-BatchNorm network. (Section 2.1)",
         .statistic = "ln of the ratio, noisy BN to no BN, of the mean relative change of a channel's mean over one "
                      "step, of what the ReLU gets, noise included",
         .window = window.text(),
         .unit = "log ratio",
         .side = Side::above(0),
         .paper_value = {}},
        paired(runs, {kNoisy, kPlain}, {both}, effects)};
  };
  std::vector<PerSeed> by_layer;
  std::vector<std::pair<Claim, Evidence>> all;
  for (const int64_t layer : layers(p)) {
    const Key key{"moment-changes", layer, "mean"};
    by_layer.push_back(log_ratio(mean(runs, kNoisy, key, window), mean(runs, kPlain, key, window)));
    all.push_back(
        claim(fmt::format("noisy-bn-less-steady-{}", layer), fmt::format("layer #{}", layer), by_layer.back()));
  }
  all.insert(all.begin(), claim("noisy-bn-less-steady", "its layers (mean over three)", mean_of_all(by_layer)));
  all.front().first.rank = Rank::kPrimary;
  return all;
}

Findings findings(const Setting& setting, Results& results) {
  const Protocol p = protocol(setting.scale);
  const ArmRuns runs(setting, results);
  const std::string seed = std::to_string(setting.seeds.front());
  auto claims = training_claims(runs, p);
  for (auto& claim : steadiness_claims(runs, p)) claims.push_back(std::move(claim));
  return {{training_figure("a", runs, kArms, p.steps,
                           "Look at purple (BN with noise): does it stay with red (BN), or fall to blue (without)?"),
           {"b", "Distribution of a layer's activations over training",
            "As in Fig. 1, of three layers (rows), without BN, with BN and with noisy BN (columns), seed " + seed +
                ". Time runs downwards. The right column's ridges jump from step to step: that is the noise.",
            activation_ridges(runs, {kPlain, kBn, kNoisy}, layers(p))},
           changes_figure(runs, p)},
          claims,
          {}};
}

}  // namespace

Experiment santurkar_fig2() {
  return {"santurkar-fig2",
          "Noisy batch normalization",
          {"M10"},
          kSource,
          "Fig. 2 and 8",
          "Does BN still help when noise makes every layer's distribution jump about in every step?",
          runs_of(kArms),
          what_was_run,
          findings,
          {.chapter = Chapter::kWhyItWorks,
           .plainly = "BN is said to help because it steadies what each layer gets. Here noise behind every BN layer "
                      "takes that steadiness away again: if the network still learns as well, steadiness was not the "
                      "reason.",
           .headline = "noisy-bn-as-good-as-bn",
           .in_short = "Noise that makes every layer's values jump about does not take that gain away."}};
}

}  // namespace bnlab
