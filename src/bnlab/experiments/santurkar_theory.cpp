#include "bnlab/experiments/santurkar_theory.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bnlab/experiments/santurkar_vgg.h"

namespace bnlab {
namespace {

using namespace santurkar;

const char* const kPlain = "no BN, rate 0.1";
const char* const kStarts = "least squares";
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
    AnalysisSpec starts{"least-squares-start", Json::object(), {plan.run(kPlain, seed).id}};
    starts.seed = seed;
    plan.add(kStarts, seed, fmt::format("starts of least squares, seed {}", seed), starts);
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

int64_t layers_of(const Protocol& p) {
  return p.model == "vgg11" ? 8 : 13;
}

/// One value a seed: mean or largest of a scalar over all layers and observed steps.
std::vector<double> over_all(const TrainedArms& trained, const Protocol& p, const char* probe, const char* name,
                             bool largest) {
  std::vector<double> result;
  for (RunReader* run : trained.runs(kPlain)) {
    std::vector<double> all;
    double most = -INFINITY;
    for (int64_t layer = 1; layer <= layers_of(p); ++layer) {
      for (const double value : run->scalars({probe, layer, name}).values) {
        all.push_back(value);
        if (!(value <= most)) most = value;  // also a NaN
      }
    }
    result.push_back(all.empty() ? NAN : largest ? most : mean_of(all));
  }
  return result;
}

/// The recorded starts of Lemma 4.5, all problems together.
struct Starts {
  std::vector<double> closest, bound, plain, meets;

  explicit Starts(RunReader& run) {
    const auto all = [&](const char* name) {
      std::vector<double> values;
      for (const ArrayRecord& record : run.arrays({kProbe, 0, name})) {
        const auto more = record.as_doubles();
        values.insert(values.end(), more.begin(), more.end());
      }
      return values;
    };
    closest = all("closest"), bound = all("bound"), plain = all("plain"), meets = all("meets");
  }
  /// The largest amount by which the left side exceeds the right one where the precondition is met.
  double worst() const {
    double most = NAN;
    for (size_t i = 0; i < closest.size(); ++i) {
      if (meets[i] == 1 && !(closest[i] - bound[i] <= most)) most = closest[i] - bound[i];
    }
    return most;
  }
  static constexpr const char* kProbe = "least-squares-start";
};

std::vector<RunReader*> runs_of_starts(const Setting& setting, Results& results) {
  std::vector<RunReader*> runs;
  for (const int64_t seed : setting.seeds) {
    if (RunReader* run = results.find(kStarts, seed)) runs.push_back(run);
  }
  return runs;
}

std::pair<Claim, Evidence> start_claim(const TrainedArms& trained, const Setting& setting, Results& results) {
  const std::vector<RunReader*> runs = runs_of_starts(setting, results);
  Evidence evidence;
  if (runs.size() < setting.seeds.size()) {
    evidence.missing = "analyses of least squares are missing";
  } else {
    double gradient = 0, excess = 0;
    for (RunReader* run : runs) {
      for (const double value : run->scalars({Starts::kProbe, 0, "optimum_gradient"}).values) {
        if (!(value <= gradient)) gradient = value;
      }
      for (const double value : run->scalars({Starts::kProbe, 0, "excess"}).values) {
        if (!(value <= excess)) excess = value;
      }
    }
    const Precondition optimal{
        "multiples-are-optima", gradient < 1e-6 && excess < 1e-6,
        fmt::format("at the nearest multiple of W* the BN model's gradient is at most {:.1g} of that at the start, and "
                    "its loss is that of W* to {:.1g} (asked: 1e-6 both)",
                    gradient, excess)};
    evidence = trained.evidence({kPlain}, {optimal}, [runs](size_t i) { return Starts(*runs.at(i)).worst(); });
  }
  return {{"favourable-start", "With BN a random start is at least as close to an optimum as Lemma 4.5 says.",
           "(Lemma 4.5.)", "largest left − right, in units of ‖W*‖², over starts with ⟨W0, W*⟩ > 0",
           "ten problems of least squares", "share", Side::below(1e-6), std::nullopt},
          evidence};
}

std::vector<std::pair<Claim, Evidence>> claims(const TrainedArms& trained, const Protocol& p) {
  const std::string window = "all layers and observed steps";
  const auto claim = [&](const std::string& id, const std::string& sentence, const std::string& quote,
                         const std::string& statistic, Side side, std::optional<double> paper,
                         const std::vector<double>& values) -> std::pair<Claim, Evidence> {
    return {{id, sentence, quote, statistic, window, "share", side, paper},
            trained.evidence({kPlain}, {}, [values](size_t i) { return values.at(i); })};
  };
  const auto largest = [&](const char* probe, const char* name) { return over_all(trained, p, probe, name, true); };
  const auto mean = [&](const char* probe, const char* name) { return over_all(trained, p, probe, name, false); };
  const char* const gradient = "bn-theory";
  const char* const curvature = "bn-curvature";
  return {
      claim("identity", "With the twin's own downstream gradient, Theorem 4.1 is an equation.",
            "(Theorem 4.1; that equality holds in its proof is ours.)",
            "largest |left − right| of a channel, relative to γ²/σ²·‖g‖²", Side::below(kRounding), std::nullopt,
            largest(gradient, "identity_error")),
      claim("printed-holds", "As printed, with the plain network's gradient, Theorem 4.1 holds for every channel.",
            "(Theorem 4.1.)", "share of channels for which it holds", Side::above(kTheorem), 1.0,
            mean(gradient, "holds")),
      claim("curvature-identity", "With the twin's own Hessian and gradient, Theorem 4.2 is an equation.",
            "(Theorem 4.2; that equality holds in its proof is ours.)",
            "largest |left − right| of a channel, relative to γ²/σ²·‖v‖‖Hv‖ + the size of the second term",
            Side::below(kRounding), std::nullopt, largest(curvature, "identity_error")),
      claim("curvature-first", "As printed, the first form of Theorem 4.2 holds for every channel.",
            "(Theorem 4.2, first inequality.)", "share of observed channels for which it holds", Side::above(kTheorem),
            1.0, mean(curvature, "first_holds")),
      claim("curvature-second", "As printed, the second form of Theorem 4.2 holds where its precondition does.",
            "(Theorem 4.2, second inequality.)", "share for which it holds among the channels that meet it",
            Side::above(kTheorem), 1.0, mean(curvature, "second_holds")),
      claim("twin-reproduces", "With γ = σ and β = μ the twin computes what the plain network computes.",
            "(Observation 4.3.)", "largest |L̂ − L| / L", Side::below(kRounding), std::nullopt,
            largest(gradient, "twin_error")),
      claim("weights-worst-case", "A layer's weight gradient is within what the worst input of its norm could give.",
            "(Theorem 4.4; that the maximum is λ²‖v‖² is ours.)", "largest ‖∇_W L̂‖² / (λ²‖v‖²) of a filter",
            Side::below(1 + kRounding), std::nullopt, largest(gradient, "weight_worst")),
      claim("weights-bound", "The twin's weight gradients are within the (corrected) bound of Theorem 4.4.",
            "(Theorem 4.4.)", "share of filters for which they are", Side::above(kTheorem), 1.0,
            mean(gradient, "weight_holds"))};
}

/// Left against right side of an inequality, a point a channel, at the last observed step of the first seed.
/// Logarithmic: points with a side of 0 and below are left out.
class Sides {
 public:
  void add(const std::string& group, double right, double left) {
    if (!(left > 0) || !(right > 0)) return;
    points_.push_back({group, right, left, left, left});
  }
  void add_judged(double right, double left) { add(left <= right ? "holds" : "fails", right, left); }
  Json chart(const std::vector<ArmStyle>& styles, const std::string& right, const std::string& left) const {
    return scatter_chart(points_, styles, right, left, {.log_x = true, .log_y = true});
  }

 private:
  std::vector<BandPoint> points_;
};

const std::vector<ArmStyle>& judged_styles() {
  static const std::vector<ArmStyle> styles = {{"holds", "#2d5d8c"}, {"fails", "#c8553d"}};
  return styles;
}

/// Calls `show(layer, arrays of the names)` for the last observation of each layer in the first seed's run.
void last_arrays(const TrainedArms& trained, const Protocol& p, const char* probe,
                 const std::vector<const char*>& names,
                 const std::function<void(RunReader& run, int64_t layer, int64_t step,
                                          const std::vector<std::vector<double>>& arrays)>& show) {
  if (trained.runs(kPlain).empty()) return;
  RunReader& run = *trained.runs(kPlain).front();
  for (int64_t layer = 1; layer <= layers_of(p); ++layer) {
    std::vector<std::vector<double>> arrays;
    int64_t step = -1;
    for (const char* name : names) {
      const auto records = run.arrays({probe, layer, name});
      if (records.empty()) break;
      step = records.back().step;
      arrays.push_back(records.back().as_doubles());
    }
    if (arrays.size() == names.size()) show(run, layer, step, arrays);
  }
}

Figure gradient_figure(const TrainedArms& trained, const Protocol& p) {
  Sides sides;
  last_arrays(trained, p, "bn-theory", {"bound", "gradient"}, [&](RunReader&, int64_t, int64_t, const auto& arrays) {
    for (size_t c = 0; c < arrays[0].size(); ++c) sides.add_judged(arrays[0][c], arrays[1][c]);
  });
  return {"a", "Both sides of Theorem 4.1, as printed",
          "A point is a channel of a layer at the last observed step (first seed). The theorem says that no point lies "
          "above the diagonal (left side = right side); red ones do. The twin's gradient can be larger than the plain "
          "network's bound, since behind its BN layer it is another network.",
          sides.chart(judged_styles(), "right side, with the plain network's gradient", "left side: ‖∇ of the twin‖²")};
}

Figure holding_figure(const TrainedArms& trained, const Protocol& p) {
  const char* const kColors[] = {"#1b3a5c", "#2d5d8c", "#5b8fc0", "#8a5aa0",
                                 "#5b9279", "#c9a227", "#d98032", "#c8553d"};
  std::vector<ArmStyle> styles;
  const auto shares = [&](const char* probe, const char* name) {
    std::vector<BandPoint> points;
    styles.clear();
    for (int64_t layer = 1; layer <= layers_of(p); layer += std::max<int64_t>(1, layers_of(p) / 8)) {
      const std::string title = fmt::format("layer #{}", layer);
      styles.push_back({title, kColors[styles.size() % 8]});
      for (BandPoint point : trained.curves({kPlain}, {probe, layer, name})) {
        for (double* value : {&point.mean, &point.low, &point.high}) *value *= 100;
        point.arm = title;
        points.push_back(point);
      }
    }
    return band_chart(points, styles, "training step", "channels for which it holds (%)", {.points = true});
  };
  return {"b", "For which share of channels the theorems hold as printed",
          "By layer over training; mean over seeds, band: lowest to highest seed. 100 % would be a theorem about "
          "networks. Of Theorem 4.2 the first form.",
          panels({{"Theorem 4.1, gradient", shares("bn-theory", "holds")},
                  {"Theorem 4.2, curvature", shares("bn-curvature", "first_holds")}},
                 2)};
}

Figure curvature_figure(const TrainedArms& trained, const Protocol& p) {
  Sides first, second;
  last_arrays(
      trained, p, "bn-curvature", {"first", "second", "precondition", "curvature"},
      [&](RunReader&, int64_t, int64_t, const auto& arrays) {
        for (size_t c = 0; c < arrays[0].size(); ++c) {
          first.add_judged(arrays[0][c], arrays[3][c]);
          const bool holds = arrays[3][c] <= arrays[1][c];
          second.add(arrays[2][c] == 0 ? "precondition fails" : holds ? "holds" : "fails", arrays[1][c], arrays[3][c]);
        }
      });
  std::vector<ArmStyle> styles = judged_styles();
  styles.push_back({"precondition fails", "#9a9a9a"});
  const std::string left = "left side: curvature of the twin";
  return {"c", "Both sides of Theorem 4.2, as printed",
          "The loss's curvature in the direction of its gradient: two channels of each layer at the last observed step "
          "(first seed). Points above the diagonal are against the theorem; grey ones do not meet its precondition. "
          "Axes are logarithmic: channels with a side of 0 or below cannot be drawn here, and count in b.",
          panels({{"first form", first.chart(judged_styles(), "right side, with the plain network's Hessian", left)},
                  {"second form", second.chart(styles, "right side, with the plain network's Hessian", left)}},
                 2)};
}

Figure weights_figure(const TrainedArms& trained, const Protocol& p) {
  Sides sides;
  last_arrays(trained, p, "bn-theory", {"bound", "weight_gradient"},
              [&](RunReader& run, int64_t layer, int64_t step, const auto& arrays) {
                const double lambda = run.scalar_at({"bn-theory", layer, "lambda"}, step).value_or(NAN);
                for (size_t c = 0; c < arrays[0].size(); ++c) {
                  sides.add_judged(lambda * lambda * arrays[0][c], arrays[1][c]);
                }
              });
  return {"d", "Weight gradients of the twin against the bound of Theorem 4.4",
          "A point is a filter. The bound is for the worst input of the real inputs' spectral norm λ, and real inputs "
          "are far from the worst: how far, is the distance to the diagonal.",
          sides.chart(judged_styles(), "right side (corrected): λ² times that of Theorem 4.1", "‖∇ of the filter‖²")};
}

Figure starts_figure(const Setting& setting, Results& results) {
  Sides sides;
  const auto runs = runs_of_starts(setting, results);
  if (!runs.empty()) {
    const Starts starts(*runs.front());
    for (size_t i = 0; i < starts.closest.size(); ++i) {
      sides.add(starts.meets[i] == 1 ? "⟨W0, W*⟩ > 0" : "⟨W0, W*⟩ ≤ 0: precondition fails", std::sqrt(starts.plain[i]),
                std::sqrt(starts.closest[i]));
    }
  }
  return {"e", "How far random starts are from an optimum, with BN and without",
          "Least squares, a point a start, distances in units of ‖W*‖. Below the diagonal the start is closer to an "
          "optimum of the model with BN. Where the precondition fails (grey), the nearest multiple of W* is next to 0, "
          "and BN gains nothing that the lemma speaks of.",
          sides.chart({{"⟨W0, W*⟩ > 0", "#2d5d8c"}, {"⟨W0, W*⟩ ≤ 0: precondition fails", "#9a9a9a"}},
                      "distance without BN, ‖W0 − W*‖", "distance with BN, ‖W0 − Ŵ*‖")};
}

Findings findings(const Setting& setting, Results& results) {
  const Protocol p = protocol(setting.scale);
  const TrainedArms trained(setting, results, arms());
  auto all = claims(trained, p);
  all.push_back(start_claim(trained, setting, results));
  return {{gradient_figure(trained, p), holding_figure(trained, p), curvature_figure(trained, p),
           weights_figure(trained, p), starts_figure(setting, results)},
          all,
          {}};
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
