#include "bnlab/experiments/santurkar/landscape_figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bnlab/study/curves.h"

namespace bnlab {
namespace {

Key key(const std::string& name, bool random = false) {
  return {"landscape", 0, (random ? "random_" : "") + name};
}

}  // namespace

const std::vector<LandscapeQuantity>& landscape_quantities() {
  static const std::vector<LandscapeQuantity> all = {
      {"loss-range", "the loss varies less over steps of different length",
       "mean over the window of (highest − lowest loss over the distances)",
       "It makes the landscape of the corresponding optimization problem significantly more smooth. (Section 1)",
       "loss_low", "loss_high"},
      {"gradient-range", "the gradient's change varies less over steps of different length",
       "mean over the window of (highest − lowest ‖∇L(w) − ∇L(w − ηg)‖₂ over the distances)",
       "It makes the gradients more reliable and predictive. (Section 3.1)", "difference_low", "difference_high"},
      {"lipschitz", "the loss changes less per unit of distance",
       "mean over the window of max over η of |L(w) − L(w − ηg)| / ‖ηg‖₂",
       "The loss changes at a smaller rate and the magnitudes of the gradients are smaller too. (Section 3.1)", "",
       "lipschitz"},
      {"beta", "the gradient changes less per unit of distance",
       "mean over the window of max over η of ‖∇L(w) − ∇L(w − ηg)‖₂ / ‖ηg‖₂",
       "The loss exhibits a significantly better \"effective\" β-smoothness. (Section 3.1)", "", "beta"}};
  return all;
}

PerSeed landscape_mean(const ArmRuns& runs, const Arm& arm, const LandscapeQuantity& quantity, bool random,
                       const Window& window) {
  const PerSeed high = mean(runs, arm, key(quantity.high, random), window);
  return quantity.low.empty() ? high : minus(high, mean(runs, arm, key(quantity.low, random), window));
}

std::pair<Claim, Evidence> smoother_claim(const ArmRuns& runs, const LandscapeQuantity& quantity, bool random,
                                          const Arm& smooth, const Arm& rough, const Window& window,
                                          const Precondition& learned, const std::string& quote) {
  const std::string along = random ? "a random direction" : "the gradient";
  Claim claim{.id = quantity.id + (random ? "-random" : ""),
              .sentence = fmt::format("Along {}, {} with \"{}\" than with \"{}\".", along, quantity.sentence,
                                      smooth.name(), rough.name()),
              .quote = quote,
              .statistic = "ln of the ratio, first to second, of the " + quantity.statistic,
              .window = window.text(),
              .unit = "log ratio",
              .side = Side::below(0),
              .paper_value = {}};
  return {std::move(claim), paired(runs, {smooth, rough}, {learned},
                                   log_ratio(landscape_mean(runs, smooth, quantity, random, window),
                                             landscape_mean(runs, rough, quantity, random, window)))};
}

Figure loss_range_figure(const std::string& id, const ArmRuns& runs, const std::vector<Arm>& arms) {
  return {
      id, "Range of the loss along the gradient",
      "Band: lowest to highest loss of a step's batch over points along that step's own gradient, mean over seeds; "
      "line: its "
      "loss where the step begins. Logarithmic. A wide band means that it matters much how long a step is. A network "
      "that has not begun to learn has a narrow band for another reason: nothing happens anywhere near it.",
      band_chart(ranges(runs, arms, key("loss_low"), {"train", 0, "loss"}, key("loss_high")), styles_of(arms),
                 "training step", "loss", {.log_y = true})};
}

Figure difference_range_figure(const std::string& id, const ArmRuns& runs, const std::vector<Arm>& arms) {
  return {
      id, "Range of the gradient's change along the gradient",
      "Band: smallest to largest ‖∇L(w) − ∇L(w − ηg)‖₂ over the same points; line: the length of the gradient itself. "
      "Where the band lies above its line, the gradient at the end of a step has nothing to do with the one that the "
      "step was made by.",
      band_chart(ranges(runs, arms, key("difference_low"), key("gradient_norm"), key("difference_high")),
                 styles_of(arms), "training step", "L2 distance of gradients", {.log_y = true})};
}

Figure lipschitz_figure(const std::string& id, const ArmRuns& runs, const std::vector<Arm>& arms) {
  const auto chart = [&](bool random) {
    return band_chart(curves(runs, arms, key("lipschitz", random)), styles_of(arms), "training step", "|ΔL| / ‖Δw‖",
                      {.points = true, .log_y = true});
  };
  return {
      id, "How fast the loss changes with distance",
      "Largest |L(w) − L(w − ηg)| / ‖ηg‖₂ over the points, an estimate from below of the loss's Lipschitz constant; "
      "left along the step's own gradient, right along a random direction of its length; logarithmic. Line: mean "
      "over seeds, band: lowest to highest seed.",
      panels({{"along the gradient", chart(false)}, {"along a random direction", chart(true)}}, 2)};
}

Figure smoothness_figure(const std::string& id, const ArmRuns& runs, const std::vector<Arm>& arms, bool random) {
  return {
      id, random ? "Effective β-smoothness along a random direction" : "Effective β-smoothness along the gradient",
      fmt::format("Largest change of the gradient per unit of distance, along {}; logarithmic. The lower, the further "
                  "a gradient can be trusted. Line: mean over seeds, band: lowest to highest seed.",
                  random ? "a random direction of the gradient's length" : "the step's own gradient"),
      band_chart(curves(runs, arms, key("beta", random)), styles_of(arms), "training step", "effective β",
                 {.points = true, .log_y = true})};
}

Figure difference_by_distance_figure(const std::string& id, const ArmRuns& runs, const std::vector<Arm>& arms,
                                     const Window& window) {
  std::vector<BandPoint> points;
  for (const Arm& arm : arms) {
    std::map<double, std::vector<double>> by_distance;  // of each run its mean over the window
    for (RunReader* run : runs.of(arm)) {
      std::vector<double> distances, sums;
      double observations = 0;
      const auto differences = run->arrays(key("gradient_difference"));
      for (const ArrayRecord& record : differences) {
        if (record.step < window.begin || record.step >= window.end) continue;
        const auto values = record.as_doubles();
        sums.resize(values.size());
        for (size_t k = 0; k < values.size(); ++k) sums[k] += values[k];
        observations += 1;
      }
      for (const ArrayRecord& record : run->arrays(key("distance"))) distances = record.as_doubles();
      for (size_t k = 0; k < sums.size(); ++k) by_distance[distances[k]].push_back(sums[k] / observations);
    }
    for (const auto& [distance, values] : by_distance) points.push_back(band_point(arm.name(), distance, values));
  }
  return {
      id, "Change of the gradient against distance",
      fmt::format("‖∇L(w) − ∇L(w − ηg)‖₂ against η, mean over {}; both axes logarithmic. The flatter and lower, the "
                  "better the gradient predicts itself further on. (The paper's Fig. 11.)",
                  window.text()),
      band_chart(points, styles_of(arms), "distance η along the gradient", "L2 distance of gradients",
                 {.points = true, .log_x = true, .log_y = true})};
}

Figure of_linear_network(Figure figure, const std::string& paper_figure) {
  figure.title += ", linear network";
  figure.caption += fmt::format(" (The paper's {}.)", paper_figure);
  return figure;
}

}  // namespace bnlab
