#include "bnlab/experiments/santurkar_theory.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bnlab/experiments/santurkar_vgg.h"

namespace bnlab {
namespace {

using namespace santurkar;

const char* const kPlain = "no BN, rate 0.1";
constexpr double kRounding = 1e-3;  // of the squared gradient: float passes, summed in double

const std::vector<Arm>& arms() {
  static const std::vector<Arm> all = {plain(0.1)};
  return all;
}

Plan plan(const Setting& setting) {
  Plan plan(setting.data);
  add_runs(plan, setting, arms());
  return plan;
}

std::vector<std::string> what_was_run(const Setting& setting) {
  const Protocol p = protocol(setting.scale);
  return {
      what_was_trained(setting),
      fmt::format(
          "Every {} steps of the network without BN, each of its convolutions in turn gets one BN layer behind it (γ = "
          "1, "
          "β = 0, ε = 0), all weights as they are. Theorem 4.1 bounds, for each channel, the squared gradient of the "
          "twin's loss with respect to the convolution's output by (γ²/σ²)(‖g‖² − ⟨1, g⟩²/m − ⟨g, ŷ⟩²/m), m being the "
          "number of values of a channel. The right side can be read with the twin's own gradient behind the BN layer, "
          "which makes it an identity, or, as printed, with the plain network's gradient, which makes it a claim about "
          "networks.",
          p.landscape_every)};
}

int64_t layers_of(const Protocol& p) {
  return p.model == "vgg11" ? 8 : 13;
}

/// One value a seed: `combine` of a scalar over all layers and observed steps.
std::vector<double> over_all(const TrainedArms& trained, const Protocol& p, const char* name, bool largest) {
  std::vector<double> result;
  for (RunReader* run : trained.runs(kPlain)) {
    double sum = 0, count = 0, most = 0;
    for (int64_t layer = 1; layer <= layers_of(p); ++layer) {
      for (const double value : run->scalars({"bn-theory", layer, name}).values) {
        sum += value;
        count += 1;
        if (!(value <= most)) most = value;  // also a NaN
      }
    }
    result.push_back(count == 0 ? NAN : largest ? most : sum / count);
  }
  return result;
}

std::vector<std::pair<Claim, Evidence>> claims(const TrainedArms& trained, const Protocol& p) {
  const std::string window = "all layers, channels and observed steps";
  const auto evidence = [&](const std::vector<double>& values) {
    return trained.evidence({kPlain}, {}, [values](size_t i) { return values.at(i); });
  };
  return {{{"identity", "With the twin's own downstream gradient, Theorem 4.1 is an equation.",
            "(Theorem 4.1; that equality holds in its proof is ours.)",
            "largest |left − right| of a channel, relative to γ²/σ²·‖g‖²", window, "share", Side::below(kRounding),
            std::nullopt},
           evidence(over_all(trained, p, "identity_error", true))},
          {{"printed-holds", "As printed, with the plain network's gradient, Theorem 4.1 holds for every channel.",
            "(Theorem 4.1.)", "share of channels for which it holds", window, "share", Side::above(0.999), 1.0},
           evidence(over_all(trained, p, "holds", false))},
          {{"twin-reproduces", "With γ = σ and β = μ the twin computes what the plain network computes.",
            "(Observation 4.3.)", "largest |L̂ − L| / L", window, "share", Side::below(kRounding), std::nullopt},
           evidence(over_all(trained, p, "twin_error", true))}};
}

Json both_sides(const TrainedArms& trained, const Protocol& p) {
  std::vector<BandPoint> points;
  if (!trained.runs(kPlain).empty()) {
    RunReader& run = *trained.runs(kPlain).front();
    for (int64_t layer = 1; layer <= layers_of(p); ++layer) {
      const auto lefts = run.arrays({"bn-theory", layer, "gradient"}),
                 rights = run.arrays({"bn-theory", layer, "bound"});
      if (lefts.empty()) continue;
      const auto left = lefts.back().as_doubles(), right = rights.back().as_doubles();
      for (size_t c = 0; c < left.size(); ++c) {
        if (!(left[c] > 0) || !(right[c] > 0)) continue;
        points.push_back({left[c] <= right[c] ? "holds" : "fails", right[c], left[c], left[c], left[c]});
      }
    }
  }
  return scatter_chart(points, {{"holds", "#2d5d8c"}, {"fails", "#c8553d"}},
                       "right side, with the plain network's gradient", "left side: ‖∇ of the twin‖²",
                       {.log_x = true, .log_y = true});
}

Findings findings(const Setting& setting, Results& results) {
  const Protocol p = protocol(setting.scale);
  const TrainedArms trained(setting, results, arms());
  std::vector<ArmStyle> styles;
  std::vector<BandPoint> shares;
  const char* const kColors[] = {"#1b3a5c", "#2d5d8c", "#5b8fc0", "#8a5aa0",
                                 "#5b9279", "#c9a227", "#d98032", "#c8553d"};
  for (int64_t layer = 1; layer <= layers_of(p); layer += std::max<int64_t>(1, layers_of(p) / 8)) {
    const std::string name = fmt::format("layer #{}", layer);
    styles.push_back({name, kColors[styles.size() % 8]});
    for (BandPoint point : trained.curves({kPlain}, {"bn-theory", layer, "holds"})) {
      for (double* value : {&point.mean, &point.low, &point.high}) *value *= 100;
      point.arm = name;
      shares.push_back(point);
    }
  }
  return {
      {{"a", "Both sides of Theorem 4.1, as printed",
        "A point is a channel of a layer at the last observed step (first seed). The theorem says that no point lies "
        "above the diagonal (left side = right side); red ones do. The twin's gradient can be larger than the plain "
        "network's bound, since behind its BN layer it is another network.",
        both_sides(trained, p)},
       {"b", "For which share of channels it holds",
        "As printed, by layer over training; mean over seeds, band: lowest to highest seed. 100 % would be a theorem "
        "about networks.",
        band_chart(shares, styles, "training step", "channels for which it holds (%)", {.points = true})}},
      claims(trained, p),
      {}};
}

}  // namespace

Experiment santurkar_theory() {
  return {"santurkar-theory",
          "The gradient's bound behind a BN layer",
          {"M16"},
          kSource,
          "section 4: Theorem 4.1, Observation 4.3",
          "Is the gradient of a network with one BN layer bounded by the plain network's, as Theorem 4.1 says?",
          plan,
          what_was_run,
          findings};
}

}  // namespace bnlab
