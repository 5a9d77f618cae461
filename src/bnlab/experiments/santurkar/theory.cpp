#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bnlab/experiments/santurkar/santurkar.h"
#include "bnlab/experiments/santurkar/theory_figures.h"

namespace bnlab {
namespace {

using namespace santurkar;

constexpr double kRounding = 1e-3;  // of the squared gradient: float passes, summed in double
constexpr double kTheorem = 0.999;  // a theorem holds for every channel; the rest is rounding

const std::vector<Arm>& arms() {
  static const std::vector<Arm> all = {plain(0.1)};
  return all;
}

Plan plan(const Setting& setting) {
  Plan plan(setting);
  add_runs(plan, setting, arms());
  for (const int64_t seed : setting.seeds) {
    AnalysisSpec starts{"least-squares-start", Json::object(), {plan.run(kTheoryArm, seed).id}};
    starts.seed = seed;
    plan.add(kStartsArm, seed, fmt::format("starts of least squares, seed {}", seed), starts);
  }
  return plan;
}

std::vector<std::string> what_was_run(const Setting& setting) {
  const Protocol p = protocol(setting.scale);
  return {
      what_was_trained(setting),
      fmt::format(
          "Every {} steps of the network without BN, each of its convolutions in turn gets one BN layer behind "
          "it (γ = 1, β = 0, ε = 0), all weights as they are: its twin, of loss L̂. With y what a channel of the "
          "convolution gives, in m values, g = ∇L with respect to y and v = ∇L̂ with respect to y:",
          p.landscape_every),
      "Theorem 4.1: ‖v‖² ≤ (γ²/σ²)(‖g‖² − ⟨1, g⟩²/m − ⟨g, ŷ⟩²/m). Its right side can be read with the twin's own "
      "gradient behind the BN layer, which makes it an equation, or, as printed, with the plain network's, which makes "
      "it a claim about networks.",
      fmt::format("Theorem 4.2, every {} steps, for 2 channels of each layer: the loss's curvature vᵀ(∂²L̂/∂y²)v ≤ "
                  "(γ²/σ²)vᵀHv − γ⟨g, ŷ⟩‖v‖²/(mσ²), H the Hessian of the plain network; where H preserves the relative "
                  "norms of g and v, also with gᵀHg in place of vᵀHv (we read this as: of vᵀHv and gᵀHg the one is "
                  "larger whose vector is longer). Again an equation if H and g are the twin's own.",
                  2 * p.landscape_every),
      "Theorem 4.4 bounds the gradient of a layer's weights for the worst input X of spectral norm λ. That worst case "
      "is "
      "λ²‖v‖², so that the theorem is λ² times Theorem 4.1 and holds where that holds; the paper prints g² where g is "
      "already the squared maximum, which we correct. Here λ is the spectral norm of the layer's real inputs, and the "
      "gradient of its real weights is held against the bound.",
      "Lemma 4.5, on least squares, where its assumption (every kW*, k > 0, is an optimum with BN) holds: 2,000 images "
      "pooled to 8×8 cells, one class against the others, ten problems and 100 random starts each. With BN a start has "
      "to go to the nearest point of a ray, without to one point."};
}

/// One value a seed: mean or largest of a scalar over all layers and observed steps.
std::vector<double> over_all(const TrainedArms& trained, const Protocol& p, const char* probe, const char* name,
                             bool largest) {
  std::vector<double> result;
  for (RunReader* run : trained.runs(kTheoryArm)) {
    std::vector<double> all;
    double most = -INFINITY;
    for (int64_t layer = 1; layer <= layers_of(p); ++layer) {
      for (const double value : run->scalars({probe, layer, name}).values) {
        all.push_back(value);
        raise_to(most, value);
      }
    }
    result.push_back(all.empty() ? NAN : largest ? most : mean_of(all));
  }
  return result;
}

std::pair<Claim, Evidence> start_claim(const TrainedArms& trained, const Setting& setting, Results& results) {
  const std::vector<RunReader*> runs = stored_runs(setting, results, kStartsArm);
  Evidence evidence;
  if (runs.size() < setting.seeds.size()) {
    evidence.missing = "analyses of least squares are missing";
  } else {
    double gradient = -INFINITY, excess = -INFINITY;  // no problem, no optimum
    for (RunReader* run : runs) {
      for (const double value : run->scalars({kStartsProbe, 0, "optimum_gradient"}).values) {
        raise_to(gradient, value);
      }
      for (const double value : run->scalars({kStartsProbe, 0, "excess"}).values) {
        raise_to(excess, value);
      }
    }
    const Precondition optimal{
        "multiples-are-optima", gradient >= 0 && gradient < 1e-6 && excess >= 0 && excess < 1e-6,
        fmt::format("at the nearest multiple of W* the BN model's gradient is at most {:.1g} of that at the start, and "
                    "its loss is that of W* to {:.1g} (asked: 1e-6 both)",
                    gradient, excess)};
    evidence = trained.evidence({kTheoryArm}, {optimal}, [runs](size_t i) { return Starts(*runs.at(i)).worst(); });
  }
  return {{"favourable-start", "With BN a random start is at least as close to an optimum as Lemma 4.5 says.",
           "(Lemma 4.5.)", "largest left − right, in units of ‖W*‖², over starts with ⟨W0, W*⟩ > 0",
           "ten problems of least squares", "‖W*‖²", Side::below(1e-6), std::nullopt},
          evidence};
}

double least_of(const std::vector<double>& values) {
  double least = values.empty() ? NAN : INFINITY;
  for (const double value : values) lower_to(least, value);
  return least;
}

std::vector<std::pair<Claim, Evidence>> claims(const TrainedArms& trained, const Protocol& p) {
  const std::string window = "all layers and observed steps";
  const auto claim = [&](const std::string& id, const std::string& sentence, const std::string& quote,
                         const std::string& statistic, Side side, std::optional<double> paper,
                         const std::vector<double>& values,
                         const std::vector<Precondition>& preconditions = {}) -> std::pair<Claim, Evidence> {
    const std::string unit = side.kind == Side::Kind::kAbove ? "share" : "relative size";
    return {{id, sentence, quote, statistic, window, unit, side, paper},
            trained.evidence({kTheoryArm}, preconditions, [values](size_t i) { return values.at(i); })};
  };
  const auto largest = [&](const char* probe, const char* name) { return over_all(trained, p, probe, name, true); };
  const auto mean = [&](const char* probe, const char* name) { return over_all(trained, p, probe, name, false); };
  const char* const gradient = "bn-theory";
  const char* const curvature = "bn-curvature";
  const double converged = least_of(mean(gradient, "lambda_converged")),
               met = least_of(mean(curvature, "meets_precondition"));
  const Precondition norm_known{
      "norm-of-inputs-known", converged == 1,
      fmt::format("the iteration for λ converged in {:.3g} % of all layers and steps (asked: all)", 100 * converged)};
  const Precondition often_met{
      "precondition-is-met", met >= 0.1,
      fmt::format("{:.0f} % of observed channels meet it, in the seed with fewest (asked: 10 %)", 100 * met)};
  return {
      claim("identity", "With the twin's own downstream gradient, Theorem 4.1 is an equation.",
            "(Theorem 4.1; that equality holds in its proof is ours.)",
            "largest |left − right| of a channel, relative to γ²/σ²·‖g‖²", Side::below(kRounding), std::nullopt,
            largest(gradient, "identity_error")),
      claim("printed-holds", "As printed, with the plain network's gradient, Theorem 4.1 holds for every channel.",
            "(Theorem 4.1.)", "mean over layers and steps of the share of channels for which it holds",
            Side::above(kTheorem), 1.0, mean(gradient, "holds")),
      claim("curvature-identity", "With the twin's own Hessian and gradient, Theorem 4.2 is an equation.",
            "(Theorem 4.2; that equality holds in its proof is ours.)",
            "largest |left − right| of a channel, relative to γ²/σ²·‖v‖‖Hv‖ + the size of the second term",
            Side::below(kRounding), std::nullopt, largest(curvature, "identity_error")),
      claim("curvature-first", "As printed, the first form of Theorem 4.2 holds for every channel.",
            "(Theorem 4.2, first inequality.)",
            "mean over layers and steps of the share of observed channels for which it holds", Side::above(kTheorem),
            1.0, mean(curvature, "first_holds")),
      claim("curvature-second", "As printed, the second form of Theorem 4.2 holds where its precondition does.",
            "(Theorem 4.2, second inequality.)",
            "mean over layers and steps of the share for which it holds among the channels that meet it",
            Side::above(kTheorem), 1.0, mean(curvature, "second_holds"), {often_met}),
      claim("twin-reproduces", "With γ = σ and β = μ the twin computes what the plain network computes.",
            "(Observation 4.3.)", "largest |L̂ − L| / L", Side::below(kRounding), std::nullopt,
            largest(gradient, "twin_error")),
      claim("weights-worst-case", "A layer's weight gradient is within what the worst input of its norm could give.",
            "(Theorem 4.4; that the maximum is λ²‖v‖² is ours.)", "largest ‖∇_W L̂‖² / (λ²‖v‖²) of a filter",
            Side::below(1 + kRounding), std::nullopt, largest(gradient, "weight_worst"), {norm_known}),
      claim("weights-bound", "The twin's weight gradients are within the (corrected) bound of Theorem 4.4.",
            "(Theorem 4.4.)", "mean over layers and steps of the share of filters for which they are",
            Side::above(kTheorem), 1.0, mean(gradient, "weight_holds"), {norm_known})};
}

Findings findings(const Setting& setting, Results& results) {
  const Protocol p = protocol(setting.scale);
  const TrainedArms trained(setting, results, arms());
  auto all = claims(trained, p);
  all.push_back(start_claim(trained, setting, results));
  return {theory_figures(trained, setting, results), all, {}};
}

}  // namespace

Experiment santurkar_theory() {
  return {
      "santurkar-theory",
      "The theory of one BN layer",
      {"M16"},
      kSource,
      "section 4: Theorems 4.1, 4.2 and 4.4, Observation 4.3, Lemma 4.5",
      "Are gradient and curvature of a network with one BN layer bounded by the plain network's, as section 4 says?",
      plan,
      what_was_run,
      findings};
}

}  // namespace bnlab
