#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "bnlab/experiments/basics/sigmoid_networks.h"
#include "bnlab/study/curves.h"

namespace bnlab::sigmoids {
namespace {

std::vector<ArmStyle> looks_of(const std::vector<SigmoidNet>& nets) {
  std::vector<ArmStyle> looks;
  for (const SigmoidNet& net : nets) looks.push_back(look_of(net));
  return looks;
}

/// The unit of the first seed's last hidden layer whose drift is the median.
size_t typical_unit(RunReader& run, int64_t layer, const Window& window) {
  const std::vector<double> drifts = drifts_of_units(run, layer, window);
  std::vector<size_t> order(drifts.size());
  for (size_t unit = 0; unit < order.size(); ++unit) order[unit] = unit;
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return drifts[a] < drifts[b]; });
  return order.empty() ? 0 : order[(order.size() - 1) / 2];
}

Panel band_of_typical_unit(const ArmRuns& runs, const SigmoidNet& net) {
  const Arm arm = arm_of(net);
  std::vector<BandPoint> points;
  size_t unit = 0;
  if (!runs.of(arm).empty()) {
    RunReader& run = *runs.of(arm).front();
    unit = typical_unit(run, net.layers, whole(runs.setting()));
    for (const ArrayRecord& look : run.arrays({"unit-percentiles", net.layers, "percentiles"})) {
      const std::vector<double> values = look.as_doubles();
      const size_t units = values.size() / 3;
      points.push_back({look_of(net).arm, static_cast<double>(look.step), values.at(units + unit), values.at(unit),
                        values.at(2 * units + unit)});
    }
  }
  return {fmt::format("input of sigmoid {}, {}", unit + 1, net.bn ? "BN" : "no BN"),
          band_chart(points, {look_of(net)}, "training step", "what the sigmoid gets")};
}

Json test_curves(const ArmRuns& runs, const std::vector<SigmoidNet>& nets) {
  std::vector<BandPoint> points;
  for (const SigmoidNet& net : nets) {
    for (const BandPoint& p : curves(runs, {arm_of(net)}, {"accuracy", 0, "test_accuracy"})) {
      points.push_back({look_of(net).arm, p.x, 100 * p.mean, 100 * p.low, 100 * p.high});
    }
  }
  return band_chart(points, looks_of(nets), "training step", "test accuracy (%)");
}

/// A number a layer of the networks of ten layers, at the start and in the second half of training.
Json by_layer(const ArmRuns& runs,
              const std::function<PerSeed(const SigmoidNet&, int64_t layer, const Window&)>& number,
              const std::string& title, bool log, const std::vector<BandPoint>& at_start_too = {},
              const std::vector<ArmStyle>& further = {}) {
  const Window late = second_half(runs.setting());
  std::vector<Panel> charts;
  for (const auto& [name, window] :
       {std::pair{std::string("at the start"), at_start()}, std::pair{late.text(), late}}) {
    std::vector<BandPoint> points;
    std::vector<ArmStyle> styles = looks_of(deep_nets());
    for (const SigmoidNet& net : deep_nets()) {
      for (int64_t layer = 1; layer <= net.layers; ++layer) {
        const PerSeed values = number(net, layer, window);
        if (!values.empty()) points.push_back(band_point(look_of(net).arm, static_cast<double>(layer), values));
      }
    }
    if (window.end == at_start().end) points.insert(points.end(), at_start_too.begin(), at_start_too.end());
    styles.insert(styles.end(), further.begin(), further.end());
    charts.push_back({name, band_chart(points, styles, "hidden layer", title, {.points = true, .log_y = log})});
  }
  return panels(charts, 2);
}

}  // namespace

Figure bands_figure(const ArmRuns& runs) {
  return {
      "a", "What a sigmoid gets, as training goes on",
      "The input of one sigmoid in the last of three hidden layers, from the same 128 images at every look; line: "
      "the median, band: from the 15th to the 85th percentile. (The paper's Fig. 1 b and c.) It is the sigmoid of "
      "the first seed whose drift is the median of its layer, so neither the best nor the worst. Does the band move "
      "by more than its own width, or does it stay where it was?",
      panels({band_of_typical_unit(runs, kPlain), band_of_typical_unit(runs, kBn)}, 2)};
}

Figure accuracy_figure(const ArmRuns& runs) {
  return {
      "b", "Test accuracy",
      "Share of test images that the network gets right, in evaluation mode; line: mean over seeds, band: lowest to "
      "highest. Left: the network of the paper's Fig. 1 a. Right: ten hidden layers; dashed: with initial weights "
      "ten times too large. A curve that stays at the bottom is a network that guesses.",
      panels({{"three hidden layers", test_curves(runs, {kPlain, kBn})},
              {"ten hidden layers", test_curves(runs, deep_nets())}},
             2)};
}

Figure drifts_figure(const ArmRuns& runs) {
  std::vector<HistogramSample> samples;
  for (const SigmoidNet& net : {kPlain, kBn}) {
    HistogramSample& all = samples.emplace_back(HistogramSample{"", look_of(net).arm, {}});
    for (RunReader* run : runs.of(arm_of(net))) {
      const std::vector<double> drifts = drifts_of_units(*run, net.layers, whole(runs.setting()));
      all.values.insert(all.values.end(), drifts.begin(), drifts.end());
    }
  }
  return {"c", "How far the input of each sigmoid drifts",
          "All sigmoids of the last hidden layer, all seeds: the range through which the percentiles of their input go "
          "during training, in widths of their band (logarithmic). At 1 a band has moved by its own width. The further "
          "left, the more stable: is red left of blue as a whole, or only the sigmoid that figure a shows?",
          histogram_chart(samples, looks_of({kPlain, kBn}), "drift / width of the band (logarithmic)",
                          {.bins = 30, .log_x = true, .shares = true})};
}

Figure start_figure(const ArmRuns& runs) {
  constexpr int64_t kShown = 5;
  constexpr double kRange = 25;
  std::vector<HistogramSample> samples;
  for (const SigmoidNet& net : deep_nets()) {
    const std::string name = look_of(net).arm;
    if (runs.of(arm_of(net)).empty()) continue;
    for (const ArrayRecord& look : runs.of(arm_of(net)).front()->arrays({"activations", kShown, "samples"})) {
      if (look.step == 0) samples.push_back({name, name, look.as_doubles()});
    }
  }
  return {
      "d", "What sigmoids get before anything is learned",
      fmt::format("Inputs of the sigmoids of hidden layer {} of ten (512 of them, first seed). Beyond −3.6 and 3.6 a "
                  "sigmoid is saturated. Glorot's weights put hardly any there, weights ten times as large most of "
                  "them. With BN the scale of the weights makes no difference.",
                  kShown),
      histogram_chart(samples, looks_of(deep_nets()), "what the sigmoid gets",
                      {.bins = 50, .shares = true, .range = std::pair{-kRange, kRange}})};
}

Figure saturation_figure(const ArmRuns& runs) {
  return {
      "e", "Saturated sigmoids by layer",
      "Share of saturated inputs of sigmoids (σ′ below 0.025) in each of ten layers; line: mean over seeds, band: "
      "lowest to highest. Only the dashed blue network, whose initial weights are ten times too large and which has "
      "no BN, should be high at the start. Does training lead it out, and does it lead the others in?",
      by_layer(
          runs,
          [&](const SigmoidNet& net, int64_t layer, const Window& window) {
            PerSeed shares = saturated(runs, net, layer, window);
            for (double& share : shares) share *= 100;
            return shares;
          },
          "saturated sigmoids (%)", false)};
}

Figure gradients_figure(const ArmRuns& runs) {
  std::vector<BandPoint> quarters;
  const ArmStyle style{"a quarter for each sigmoid", colors::kInk, {2, 3}};
  for (int64_t layer = 1; layer <= kDeepPlain.layers; ++layer) {
    const double left = std::pow(0.25, kDeepPlain.layers - layer);
    quarters.push_back({style.arm, static_cast<double>(layer), left, left, left});
  }
  return {
      "f", "How much of the gradient arrives",
      "Norm of the gradient of a layer's weights in the networks of ten layers, as a share of the last hidden "
      "layer's; logarithmic; the gradient comes from the right. The dotted line falls to a quarter with each layer, "
      "the most that a sigmoid passes on. The network with Glorot's weights and no BN (blue) should follow it, "
      "though none of its sigmoids is saturated. The dashed blue one has saturated sigmoids, but also weights ten "
      "times as large, by which all that comes back is multiplied: which of the two wins?",
      by_layer(runs,
               [&](const SigmoidNet& net, int64_t layer, const Window& window) {
                 PerSeed shares = gradient(runs, net, layer, window);
                 for (double& share : shares) share = std::pow(10, share);
                 return shares;
               },
               "gradient / that of layer 10", true, quarters, {style})};
}

}  // namespace bnlab::sigmoids
