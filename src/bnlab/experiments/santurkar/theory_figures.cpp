#include "bnlab/experiments/santurkar/theory_figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "bnlab/study/curves.h"

namespace bnlab::santurkar {

Arm theory_arm() {
  return plain(0.1);
}

Arm starts_arm() {
  return {{"least squares", "#2d5d8c"}};
}

int64_t layers_of(const Protocol& p) {
  return p.model == "vgg11" ? 8 : 13;
}

Starts::Starts(RunReader& run) {
  const auto all = [&](const char* name) {
    std::vector<double> values;
    for (const ArrayRecord& record : run.arrays({kStartsProbe, 0, name})) {
      const auto more = record.as_doubles();
      values.insert(values.end(), more.begin(), more.end());
    }
    return values;
  };
  closest = all("closest"), bound = all("bound"), plain = all("plain"), meets = all("meets");
}

double Starts::worst() const {
  double most = closest.empty() ? NAN : -INFINITY;
  for (size_t i = 0; i < closest.size(); ++i) {
    if (meets[i] == 1) raise_to(most, closest[i] - bound[i]);
  }
  return most;
}

namespace {

/// Left against right side of an inequality, a point a channel, at the last observed step of the first seed.
/// Logarithmic: points with a side of 0 and below are left out.
class Sides {
 public:
  void add(const std::string& group, double right, double left) {
    if (!(left > 0) || !(right > 0)) {
      undrawn_ += 1;
      undrawn_against_ += left <= right ? 0 : 1;
      return;
    }
    points_.push_back({group, right, left, left, left});
  }
  void add_judged(double right, double left) { add(left <= right ? "holds" : "fails", right, left); }
  Json chart(const std::vector<ArmStyle>& styles, const std::string& right, const std::string& left) const {
    return scatter_chart(points_, styles, right, left, {.log_x = true, .log_y = true, .diagonal = true});
  }
  /// A sentence on what logarithmic axes cannot show, with a space before it.
  std::string undrawn() const {
    if (undrawn_ == 0) return " All points are drawn.";
    return fmt::format(" Not drawn: {} with a side of 0 or below, {} of them against the theorem.", undrawn_,
                       undrawn_against_);
  }

 private:
  std::vector<BandPoint> points_;
  int64_t undrawn_ = 0, undrawn_against_ = 0;
};

const std::vector<ArmStyle>& judged_styles() {
  static const std::vector<ArmStyle> styles = {{"holds", "#2d5d8c"}, {"fails", "#c8553d"}};
  return styles;
}

/// What a probe observed of one layer at one step, an array for each name asked for.
struct Observation {
  RunReader& run;
  int64_t layer, step;
  std::vector<std::vector<double>> arrays;
};

/// Calls `show` for the observations of each layer in the first seed's run: all, or the last one of each.
void for_observations(const ArmRuns& runs, const Protocol& p, const char* probe, const std::vector<const char*>& names,
                      bool all, const std::function<void(const Observation&)>& show) {
  if (runs.of(theory_arm()).empty()) return;
  RunReader& run = *runs.of(theory_arm()).front();
  for (int64_t layer = 1; layer <= layers_of(p); ++layer) {
    std::vector<Observation> observations;
    for (const char* name : names) {
      const auto records = run.arrays({probe, layer, name});
      for (size_t k = 0; k < records.size(); ++k) {
        if (observations.size() <= k) observations.push_back({run, layer, records[k].step, {}});
        observations[k].arrays.push_back(records[k].as_doubles());
      }
    }
    for (size_t k = 0; k < observations.size(); ++k) {
      if (all || k + 1 == observations.size()) show(observations[k]);
    }
  }
}

Figure gradient_figure(const ArmRuns& runs, const Protocol& p) {
  Sides sides;
  for_observations(runs, p, "bn-theory", {"bound", "gradient"}, false, [&](const Observation& seen) {
    const auto& arrays = seen.arrays;
    for (size_t c = 0; c < arrays[0].size(); ++c) sides.add_judged(arrays[0][c], arrays[1][c]);
  });
  return {"a", "Both sides of Theorem 4.1, as printed",
          "A point is a channel of a layer at the last observed step (first seed). The theorem says that no point lies "
          "above the diagonal (left side = right side); red ones do. The twin's gradient can be larger than the plain "
          "network's bound, since behind its BN layer it is another network." +
              sides.undrawn(),
          sides.chart(judged_styles(), "right side, with the plain network's gradient", "left side: ‖∇ of the twin‖²")};
}

Figure holding_figure(const ArmRuns& runs, const Protocol& p) {
  const char* const kColors[] = {"#1b3a5c", "#2d5d8c", "#5b8fc0", "#8a5aa0",
                                 "#5b9279", "#c9a227", "#d98032", "#c8553d"};
  std::vector<ArmStyle> styles;
  const auto shares = [&](const char* probe, const char* name) {
    std::vector<BandPoint> points;
    styles.clear();
    for (int64_t layer = 1; layer <= layers_of(p); layer += (layers_of(p) + 7) / 8) {
      const std::string title = fmt::format("layer #{}", layer);
      styles.push_back({title, kColors[styles.size() % 8]});
      for (BandPoint point : curves(runs, {theory_arm()}, {probe, layer, name})) {
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

Figure curvature_figure(const ArmRuns& runs, const Protocol& p) {
  Sides first, second;
  for_observations(
      runs, p, "bn-curvature", {"first", "second", "precondition", "curvature"}, true, [&](const Observation& seen) {
        const auto& arrays = seen.arrays;
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
          "The loss's curvature in the direction of its gradient: two channels of each layer at all observed steps "
          "(first seed). Points above the diagonal are against the theorem; grey ones do not meet its precondition. "
          "Axes are logarithmic. First form:" +
              first.undrawn() + " Second form:" + second.undrawn(),
          panels({{"first form", first.chart(styles, "right side, with the plain network's Hessian", left)},
                  {"second form", second.chart(styles, "right side, with the plain network's Hessian", left)}},
                 2)};
}

Figure weights_figure(const ArmRuns& runs, const Protocol& p) {
  Sides sides;
  for_observations(runs, p, "bn-theory", {"bound", "weight_gradient"}, false, [&](const Observation& seen) {
    const auto& arrays = seen.arrays;
    const double lambda = seen.run.scalar_at({"bn-theory", seen.layer, "lambda"}, seen.step).value_or(NAN);
    for (size_t c = 0; c < arrays[0].size(); ++c) {
      sides.add_judged(lambda * lambda * arrays[0][c], arrays[1][c]);
    }
  });
  return {
      "d", "Weight gradients of the twin against the bound of Theorem 4.4",
      "A point is a filter. The bound is for the worst input of the real inputs' spectral norm λ. The distance to the "
      "diagonal has two parts: how far real inputs are from the worst, and how much room Theorem 4.1 leaves." +
          sides.undrawn(),
      sides.chart(judged_styles(), "right side (corrected): λ² times that of Theorem 4.1", "‖∇ of the filter‖²")};
}

Figure starts_figure(const ArmRuns& runs) {
  Sides sides;
  if (!runs.of(starts_arm()).empty()) {
    const Starts starts(*runs.of(starts_arm()).front());
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

}  // namespace

std::vector<Figure> theory_figures(const ArmRuns& runs) {
  const Protocol p = protocol(runs.setting().scale);
  return {gradient_figure(runs, p), holding_figure(runs, p), curvature_figure(runs, p), weights_figure(runs, p),
          starts_figure(runs)};
}

}  // namespace bnlab::santurkar
