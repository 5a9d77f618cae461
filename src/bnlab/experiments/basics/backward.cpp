// What BN does to the gradient on its way back: Ioffe & Szegedy 2015, section 3. Run it: bnlab reproduce --only
// backward
#include <fmt/format.h>

#include <cmath>
#include <tuple>

#include "bnlab/experiments/basics/basics.h"
#include "bnlab/experiments/basics/small_vgg.h"
#include "bnlab/study/curves.h"
#include "bnlab/study/evidence.h"

namespace bnlab {
namespace {

constexpr double kRounding = 1e-3;  // far above float's rounding, far below what one sees

const SmallVggLook kLook = {{{"gradients of the finished network", colors::kInk}},
                            "bn-backward",
                            "after the last step, 128 training images, all layers"};

std::vector<std::pair<Claim, Evidence>> claims(const ArmRuns& runs) {
  const auto of = [&](const std::string& name) { return paired(runs, {kLook.arm}, {}, kLook.recorded(runs, 0, name)); };
  const std::string formulas =
      "(Section 3 gives the gradients by x, γ and β; put together and simplified, they are ∂L/∂x = (g − mean(g) − "
      "x̂·mean(g·x̂))/√(σ² + ε) with g = γ·∂L/∂y; paraphrased.)";
  const std::string cosine = "largest |cos| of a channel, over its values on all images, rows and columns";
  return {{kLook.claim(
               "closed-form", Rank::kPrimary,
               "The gradient that BN passes back is the paper's formula, up to rounding, in every layer of a trained "
               "network.",
               "largest |∂L/∂x of automatic differentiation − the formula in double| / root mean square of the "
               "formula's; the bound is ours, float rounds at 1e-7",
               "share of the gradient's size", Side::below(kRounding), formulas),
           of("difference")},
          {kLook.claim("mean-taken-out", Rank::kPrimary,
                       "Whatever gradient arrives, what BN passes back sums to zero in every channel: raising all of a "
                       "channel's values together would not change the loss.",
                       cosine + ", between ∂L/∂x and (1, …, 1); the bound is ours", "|cos|", Side::below(kRounding),
                       formulas),
           of("leaving_mean")},
          {kLook.claim(
               "scale-taken-out", Rank::kPrimary,
               "Nor has it a part along x̂: stretching a channel's values about their mean would not change the loss "
               "either.",
               cosine + ", between ∂L/∂x and x̂; the bound is ours", "|cos|", Side::below(kRounding), formulas),
           of("leaving_xhat")},
          {kLook.claim(
               "more-than-chance", Rank::kSecondary,
               "What is taken out is more than a gradient of random direction would lose: the loss does pull at the "
               "channels' means and scales.",
               "ln of the share of |g|² that lies along (1, …, 1) and x̂, relative to 2/m (two directions of the m "
               "values that a channel has); mean over the layers",
               "log ratio", Side::above(0), "(Ours: no source states it.)"),
           of("removed")}};
}

Figure directions_figure(const ArmRuns& runs) {
  std::vector<Panel> charts;
  const std::vector<ArmStyle> styles = {{"arriving, ∂L/∂y", colors::kGold}, {"passed back, ∂L/∂x", colors::kRed}};
  for (const auto& [direction, title] : {std::pair{"mean", "along (1, …, 1)"}, std::pair{"xhat", "along x̂"}}) {
    std::vector<Bar> bars;
    for (int64_t layer = 1; layer <= kSmallVggLayers; ++layer) {
      for (size_t i = 0; i < styles.size(); ++i) {
        const PerSeed values = kLook.recorded(runs, layer, std::string(i == 0 ? "arriving_" : "leaving_") + direction);
        if (values.empty()) continue;
        const BandPoint point = band_point(styles[i].arm, 0, values);
        bars.push_back({fmt::format("layer {}", layer), styles[i].arm, point.mean, point.low, point.high});
      }
    }
    charts.push_back({title, bar_chart(bars, styles, "", "largest |cosine| of a channel (logarithmic)",
                                       {.log = true, .horizontal = true})});
  }
  return {"a", "What BN takes out of a gradient",
          "For each layer of a trained network: how far the gradient of a channel's values points in the direction "
          "that raises them all (left) or stretches them about their mean (right); 1 would be wholly, 0 not at all. "
          "Dot: mean over seeds, line: lowest to highest. Gold: as it arrives at BN. Red: as BN passes it back; only "
          "the rounding of float numbers is left. A mean and a scale that BN will undo need no gradient.",
          panels(charts, 2)};
}

Figure shares_figure(const ArmRuns& runs) {
  std::vector<BandPoint> points;
  const std::vector<std::tuple<std::string, std::string, std::string>> curves = {
      {"mean_share", "along (1, …, 1)", colors::kBlue}, {"xhat_share", "along x̂", colors::kGreen}};
  std::vector<ArmStyle> styles;
  for (const auto& [name, words, color] : curves) styles.push_back({words, color});
  styles.push_back({"one direction of m, by chance", colors::kInk, {2, 3}});
  for (int64_t layer = 1; layer <= kSmallVggLayers; ++layer) {
    const auto x = static_cast<double>(layer);
    for (const auto& [name, words, color] : curves) {
      PerSeed values = kLook.recorded(runs, layer, name);
      for (double& value : values) value *= 100;
      if (!values.empty()) points.push_back(band_point(words, x, values));
    }
    PerSeed chance = kLook.recorded(runs, layer, "values");
    for (double& value : chance) value = 100 / value;
    if (!chance.empty()) points.push_back(band_point(styles.back().arm, x, chance));
  }
  return {
      "b", "How much of it that is",
      "Share of the arriving gradient's squared length that BN takes out, by layer, for the two directions; line: "
      "mean over seeds, band: lowest to highest. A channel has m values, one for every image, row and column, so "
      "a gradient that points anywhere would have the dotted share in each direction. Nothing is lost: the part along "
      "(1, …, 1) is what β learns from, the part along x̂ what γ does, and a gradient that training has brought "
      "near 0 lies below the dotted line.",
      band_chart(points, styles, "layer", "share (%, logarithmic)", {.points = true, .log_y = true})};
}

Figure size_figure(const ArmRuns& runs) {
  std::vector<BandPoint> points;
  const std::vector<ArmStyle> styles = {{"|∂L/∂x| / |∂L/∂y|", colors::kRed}, {"γ/√(σ² + ε)", colors::kInk, {2, 3}}};
  for (int64_t layer = 1; layer <= kSmallVggLayers; ++layer) {
    for (const auto& [name, arm] : {std::pair{"size", styles[0].arm}, std::pair{"gain", styles[1].arm}}) {
      const PerSeed values = kLook.recorded(runs, layer, name);
      if (!values.empty()) points.push_back(band_point(arm, static_cast<double>(layer), values));
    }
  }
  return {"c", "How BN scales a gradient",
          "Length of the gradient that BN passes back, relative to the one that arrives, by layer; line: mean over "
          "seeds, band: lowest to highest. Dotted: γ/√(σ² + ε), root mean square over the layer's channels, by which "
          "the formula multiplies. Where a layer's values are widely spread, BN passes back a small gradient: the "
          "larger the weights below, the smaller their step.",
          band_chart(points, styles, "layer", "ratio (logarithmic)", {.points = true, .log_y = true})};
}

std::vector<std::string> what_was_run(const Setting& setting) {
  return {
      what_small_vgg_is(setting),
      "128 training images then pass through the finished network once, in training mode. For each layer, automatic "
      "differentiation gives the loss's gradient by what BN gives (it arrives) and by what BN gets (it is passed "
      "back); everything shown is computed from those two in double precision."};
}

Findings findings(const Setting& setting, Results& results) {
  const ArmRuns runs(setting, results);
  return {{directions_figure(runs), shares_figure(runs), size_figure(runs)}, claims(runs), {}};
}

}  // namespace

Experiment backward() {
  return {"backward",
          "BN's backward pass",
          {"M25"},
          "Ioffe & Szegedy 2015, Batch Normalization (arXiv 1502.03167)",
          "section 3, the gradients; no figure",
          "What does BN do to the gradient that passes back through it?",
          [](const Setting& setting) { return kLook.plan(setting); },
          what_was_run,
          findings,
          {.chapter = Chapter::kBackward,
           .plainly = "BN undoes any shift and any stretch of a channel's values, so the loss cannot depend on either, "
                      "and the gradient that BN passes back has no part in those two directions. Look how much of "
                      "them is in the gradient that arrives, and how little in the one that is passed back.",
           .try_next = "bnlab explain --html explain.html"}};
}

}  // namespace bnlab
