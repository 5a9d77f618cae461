#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bnlab/experiments/santurkar/santurkar.h"
#include "bnlab/experiments/santurkar/theory_figures.h"
#include "bnlab/study/evidence.h"

namespace bnlab {
namespace {

using namespace santurkar;

constexpr double kRounding = 1e-3;  // of the squared gradient: float passes, summed in double
constexpr double kTheorem = 0.999;  // a theorem holds for every channel; the rest is rounding

const Arm kPlain = theory_arm(), kStarts = starts_arm();

Plan plan(const Setting& setting) {
  Plan plan(setting);
  add_runs(plan, setting, {kPlain});
  for (const int64_t seed : setting.seeds) {
    AnalysisSpec starts{"least-squares-start", Json::object(), {plan.run(kPlain.name(), seed).id}};
    starts.seed = seed;
    plan.add(kStarts.name(), seed, fmt::format("starts of least squares, seed {}", seed), starts);
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
          p.theory_every),
      "Theorem 4.1: ‖v‖² ≤ (γ²/σ²)(‖g‖² − ⟨1, g⟩²/m − ⟨g, ŷ⟩²/m). Its right side can be read with the twin's own "
      "gradient behind the BN layer, which makes it an equation, or, as printed, with the plain network's, which makes "
      "it a claim about networks.",
      fmt::format("Theorem 4.2, every {} steps, for 2 channels of each layer: the loss's curvature vᵀ(∂²L̂/∂y²)v ≤ "
                  "(γ²/σ²)vᵀHv − γ⟨g, ŷ⟩‖v‖²/(mσ²), H the Hessian of the plain network; where H preserves the relative "
                  "norms of g and v, also with gᵀHg in place of vᵀHv (we read this as: of vᵀHv and gᵀHg the one is "
                  "larger whose vector is longer). Again an equation if H and g are the twin's own.",
                  2 * p.theory_every),
      "Theorem 4.4 bounds the gradient of a layer's weights for the worst input X of spectral norm λ. That worst case "
      "is "
      "λ²‖v‖², so that the theorem is λ² times Theorem 4.1 and holds where that holds; the paper prints g² where g is "
      "already the squared maximum, which we correct. Here λ is the spectral norm of the layer's real inputs, and the "
      "gradient of its real weights is held against the bound.",
      "Lemma 4.5, on least squares, where its assumption (every kW*, k > 0, is an optimum with BN) holds: 2,000 images "
      "pooled to 8×8 cells, one class against the others, ten problems and 100 random starts each. With BN a start has "
      "to go to the nearest point of a ray, without to one point."};
}

enum class Over { kMean, kLargest };

/// Mean or largest of a scalar over all layers and observed steps.
PerSeed over_all(const ArmRuns& runs, const Protocol& p, const char* probe, const char* name, Over over) {
  return each(runs, kPlain, [&](RunReader& run) {
    std::vector<double> all;
    double most = -INFINITY;
    for (int64_t layer = 1; layer <= layers_of(p); ++layer) {
      for (const double value : run.scalars({probe, layer, name}).values) {
        all.push_back(value);
        raise_to(most, value);
      }
    }
    return all.empty() ? NAN : over == Over::kLargest ? most : mean_of(all);
  });
}

/// The largest of a scalar over all problems and seeds; NaN without any.
double largest_start(const ArmRuns& runs, const char* name) {
  double most = -INFINITY;
  for (RunReader* run : runs.of(kStarts)) {
    const std::vector<double> values = run->scalars({kStartsProbe, 0, name}).values;
    if (values.empty()) return NAN;
    for (const double value : values) raise_to(most, value);
  }
  return most;
}

std::pair<Claim, Evidence> start_claim(const ArmRuns& runs) {
  constexpr double kAsked = 1e-6;
  const double gradient = largest_start(runs, "optimum_gradient"), excess = largest_start(runs, "excess");
  const Precondition optimal{
      "multiples-are-optima", gradient >= 0 && gradient < kAsked && excess >= 0 && excess < kAsked,
      fmt::format("at the nearest multiple of W* the BN model's gradient is at most {:.1g} of that at the start, and "
                  "its loss is that of W* to {:.1g} (asked: {:.0g} both)",
                  gradient, excess, kAsked)};
  return {{.id = "favourable-start",
           .sentence = "With BN a random start is at least as close to an optimum as Lemma 4.5 says.",
           .quote = "(Lemma 4.5.)",
           .statistic = "largest left − right, in units of ‖W*‖², over starts with ⟨W0, W*⟩ > 0",
           .window = "ten problems of least squares",
           .unit = "‖W*‖²",
           .side = Side::below(1e-6),
           .paper_value = {},
           .rank = Rank::kPrimary},
          paired(runs, {kPlain, kStarts}, {optimal},
                 each(runs, kStarts, [](RunReader& run) { return Starts(run).worst(); }))};
}

double least_of(const std::vector<double>& values) {
  double least = values.empty() ? NAN : INFINITY;
  for (const double value : values) lower_to(least, value);
  return least;
}

/// A theorem holds for every channel; an equation up to rounding.
std::pair<Claim, Evidence> theorem(const ArmRuns& runs, Rank rank, const std::string& id, const std::string& sentence,
                                   const std::string& quote, const std::string& statistic, Side side,
                                   const PerSeed& values, const std::vector<Precondition>& preconditions = {}) {
  const bool share = side.kind == Side::Kind::kAbove;
  return {{.id = id,
           .sentence = sentence,
           .quote = quote,
           .statistic = statistic,
           .window = "all layers and observed steps",
           .unit = share ? "share" : "relative size",
           .side = side,
           .paper_value = share ? std::optional(1.0) : std::nullopt,
           .rank = rank},
          paired(runs, {kPlain}, preconditions, values)};
}

std::vector<std::pair<Claim, Evidence>> claims(const ArmRuns& runs, const Protocol& p) {
  const auto largest = [&](const char* probe, const char* name) {
    return over_all(runs, p, probe, name, Over::kLargest);
  };
  const auto mean = [&](const char* probe, const char* name) { return over_all(runs, p, probe, name, Over::kMean); };
  const Rank main = Rank::kPrimary, further = Rank::kSecondary;
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
  return {theorem(runs, further, "identity", "With the twin's own downstream gradient, Theorem 4.1 is an equation.",
                  "(Theorem 4.1; that equality holds in its proof is ours.)",
                  "largest |left − right| of a channel, relative to γ²/σ²·‖g‖²", Side::below(kRounding),
                  largest(gradient, "identity_error")),
          theorem(runs, main, "printed-holds",
                  "As printed, with the plain network's gradient, Theorem 4.1 holds for every channel.",
                  "(Theorem 4.1.)", "mean over layers and steps of the share of channels for which it holds",
                  Side::above(kTheorem), mean(gradient, "holds")),
          theorem(runs, further, "curvature-identity",
                  "With the twin's own Hessian and gradient, Theorem 4.2 is an equation.",
                  "(Theorem 4.2; that equality holds in its proof is ours.)",
                  "largest |left − right| of a channel, relative to γ²/σ²·‖v‖‖Hv‖ + the size of the second term",
                  Side::below(kRounding), largest(curvature, "identity_error")),
          theorem(runs, main, "curvature-first", "As printed, the first form of Theorem 4.2 holds for every channel.",
                  "(Theorem 4.2, first inequality.)",
                  "mean over layers and steps of the share of observed channels for which it holds",
                  Side::above(kTheorem), mean(curvature, "first_holds")),
          theorem(runs, further, "curvature-second",
                  "As printed, the second form of Theorem 4.2 holds where its precondition does.",
                  "(Theorem 4.2, second inequality.)",
                  "mean over layers and steps of the share for which it holds among the channels that meet it",
                  Side::above(kTheorem), mean(curvature, "second_holds"), {often_met}),
          theorem(runs, further, "twin-reproduces",
                  "With γ = σ and β = μ the twin computes what the plain network computes.", "(Observation 4.3.)",
                  "largest |L̂ − L| / L", Side::below(kRounding), largest(gradient, "twin_error")),
          theorem(runs, further, "weights-worst-case",
                  "A layer's weight gradient is within what the worst input of its norm could give.",
                  "(Theorem 4.4; that the maximum is λ²‖v‖² is ours.)", "largest ‖∇_W L̂‖² / (λ²‖v‖²) of a filter",
                  Side::below(1 + kRounding), largest(gradient, "weight_worst"), {norm_known}),
          theorem(runs, main, "weights-bound",
                  "The twin's weight gradients are within the (corrected) bound of Theorem 4.4.", "(Theorem 4.4.)",
                  "mean over layers and steps of the share of filters for which they are", Side::above(kTheorem),
                  mean(gradient, "weight_holds"), {norm_known})};
}

Findings findings(const Setting& setting, Results& results) {
  const ArmRuns runs(setting, results);
  auto all = claims(runs, protocol(setting.scale));
  all.push_back(start_claim(runs));
  return {theory_figures(runs), all, {}};
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
      findings,
      {.chapter = Chapter::kWhyItWorks,
       .plainly = "Santurkar et al. prove that one BN layer makes gradient and curvature smaller. Each point "
                  "compares both sides of such an inequality in a real network: where it lies below the diagonal, "
                  "the inequality holds."}};
}

}  // namespace bnlab
