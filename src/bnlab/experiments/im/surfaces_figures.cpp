#include "bnlab/experiments/im/surfaces_figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "bnlab/record/number_text.h"
#include "bnlab/study/curves.h"

namespace bnlab::im {
namespace {

constexpr double kFrom = -0.25, kTo = 1.25;  // of a plane's coordinates

std::vector<ArmStyle> styles_of_all() {
  std::vector<ArmStyle> styles;
  for (const Optimizer& optimizer : trained_in(nets().front())) styles.push_back(optimizer.style());
  return styles;
}

/// A panel a network, two in a row.
Json by_net(const std::function<Json(const Net&)>& chart) {
  std::vector<Panel> all;
  for (const Net& net : nets()) all.push_back({net.label(), chart(net)});
  return panels(all, 2);
}

/// Lines of all seeds as one curve with its band; the last point is at x = `end`.
void append_line(std::vector<BandPoint>& points, const std::string& name, const std::vector<std::vector<double>>& lines,
                 double end) {
  for (size_t k = 0; !lines.empty() && k < lines.front().size(); ++k) {
    std::vector<double> values;
    for (const auto& line : lines) {
      if (k < line.size()) values.push_back(line[k]);
    }
    const double x = end * static_cast<double>(k) / static_cast<double>(lines.front().size() - 1);
    points.push_back(band_point(name, x, values));
  }
}

using LineOf = std::function<std::vector<double>(RunReader& run)>;

std::vector<std::vector<double>> lines_of(const ArmRuns& runs, const Net& net, const LineOf& line) {
  std::vector<std::vector<double>> lines;
  for (RunReader* run : runs.of(surfaces(net))) {
    const auto values = line(*run);
    if (!values.empty()) lines.push_back(values);
  }
  return lines;
}

/// A place that is named on a plane.
struct Place {
  double s, t;
  std::string name;
};

/// The first seed's plane, a cell a point, t upwards.
Json plane_chart(const ArmRuns& runs, const Net& net, const std::string& name, const std::string& s_title,
                 const std::string& t_title, const std::vector<Place>& places) {
  std::vector<HeatCell> cells;
  HeatMapOptions options{.log = true};
  const auto& of = runs.of(surfaces(net));
  const std::vector<double> loss = of.empty() ? std::vector<double>() : recorded_line(*of.front(), 0, name);
  const auto side = static_cast<size_t>(std::lround(std::sqrt(loss.size())));
  const auto at = [&](size_t k) {
    return fixed_text(kFrom + (kTo - kFrom) * static_cast<double>(k) / static_cast<double>(side - 1), 2);
  };
  for (size_t row = side; row-- > 0;) {
    for (size_t column = 0; column < side; ++column) cells.push_back({at(row), at(column), loss[row * side + column]});
  }
  for (const Place& place : places) {
    options.marks.push_back({fixed_text(place.t, 2), fixed_text(place.s, 2), place.name});
  }
  return heat_map_chart(cells, t_title, s_title, "loss (logarithmic)", options);
}

}  // namespace

Figure between_figure(const ArmRuns& runs) {
  return {"a", "Between the end of SGD and those of the others",
          "Loss of networks whose weights are a mixture: at 0 those that SGD found, at 1 those that another optimizer "
          "found from the same start (line: mean over seeds, band: lowest to highest). Does the loss rise "
          "on the way? Then the two sit in different valleys. Dashed, in NiN: SGD itself, at four fifths of its rate. "
          "With BN "
          "its statistics are those of the measured images at each mixture.",
          by_net([&](const Net& net) {
            std::vector<BandPoint> points;
            const std::vector<Optimizer> all = trained_in(net);
            for (size_t j = 1; j < all.size(); ++j) {
              const auto line = [&](RunReader& run) { return loss_between(run, 0, j); };
              append_line(points, all[j].name, lines_of(runs, net, line), 1);
            }
            return band_chart(points, styles_of_all(), "share of the other optimizer's weights", "loss");
          })};
}

Figure barriers_figure(const ArmRuns& runs) {
  return {"b", "Height of the barrier between two ends",
          "The most by which the loss of a mixture exceeds the straight line between the losses of its two ends, as a "
          "share of their mean (mean over seeds). 0: downhill or level all the way; 1: up by as much as the loss "
          "itself. In NiN the last row and column are SGD at four fifths of its rate: is its barrier to SGD any lower?",
          by_net([&](const Net& net) {
            std::vector<HeatCell> cells;
            const std::vector<Optimizer> all = trained_in(net);
            for (size_t i = 0; i < all.size(); ++i) {
              for (size_t j = 0; j < all.size(); ++j) {
                if (i == j) continue;
                const PerSeed heights = each(runs, surfaces(net), [&](RunReader& run) {
                  return barrier(loss_between(run, std::min(i, j), std::max(i, j)));
                });
                if (!heights.empty()) cells.push_back({all[i].name, all[j].name, mean_of(heights)});
              }
            }
            return heat_map_chart(cells, "", "", "barrier (share of the loss)", {.numbers = true});
          })};
}

Figure from_start_figure(const ArmRuns& runs) {
  return {"c", "From the common start through each end",
          "Loss on the straight line from the initial weights (0) to those that an optimizer found (1), and half as "
          "far again (line: mean over seeds, band: lowest to highest). Behind 1, how soon does it rise? A "
          "steep wall means a narrow valley in this direction, a flat floor a wide one.",
          by_net([&](const Net& net) {
            std::vector<BandPoint> points;
            for (size_t i = 0; i < optimizers().size(); ++i) {
              const auto line = [&](RunReader& run) { return loss_from_start(run, i); };
              append_line(points, optimizers()[i].name, lines_of(runs, net, line), 1.5);
            }
            return band_chart(points, styles_of_all(), "share of the way from start to end", "loss");
          })};
}

Figure triangle_figure(const ArmRuns& runs) {
  return {"d", "The plane through the start and two ends",
          fmt::format("Loss on the plane that holds the initial weights and the ends of SGD and Adam (seed {}; colours "
                      "are logarithmic, dark is low). Each end lies in a dark valley: are the two one, or does a ridge "
                      "stand between them? (Angles are not drawn true.)",
                      runs.setting().seeds.front()),
          by_net([&](const Net& net) {
            return plane_chart(runs, net, "triangle_loss", "towards SGD's end", "towards Adam's end",
                               {{0, 0, "start"}, {1, 0, "SGD"}, {0, 1, "Adam"}});
          })};
}

Figure patch_figure(const ArmRuns& runs) {
  return {"e", "The surface between four ends",
          fmt::format("Loss of mixtures of four networks' weights, bilinear between the corners marked (seed {}; "
                      "colours are logarithmic, dark is low). If all four were in one valley, the middle would be as "
                      "dark as the corners.",
                      runs.setting().seeds.front()),
          by_net([&](const Net& net) {
            return plane_chart(runs, net, "patch_loss", "SGD → Adam, momentum → RMSprop",
                               "SGD → momentum, Adam → RMSprop",
                               {{0, 0, "SGD"}, {1, 0, "Adam"}, {0, 1, "momentum"}, {1, 1, "RMSprop"}});
          })};
}

Figure travelled_figure(const ArmRuns& runs) {
  std::vector<std::string> labels;
  for (const Net& net : nets()) labels.push_back(net.label());
  const auto chart = [&](const std::string& name, const std::string& title) {
    std::vector<Bar> bars;
    for (size_t i = 0; i < optimizers().size(); ++i) {
      for (const Net& net : nets()) {
        const PerSeed values = each(runs, surfaces(net), [&](RunReader& run) {
          return run.scalar_at({"loss-surfaces", static_cast<int64_t>(i) + 1, name}, 0).value_or(NAN);
        });
        if (values.empty()) continue;
        const PairedInterval interval = paired_interval(values);
        bars.push_back({optimizers()[i].name, net.label(), interval.mean, interval.low, interval.high});
      }
    }
    return bar_chart(bars, styles_for(labels), "", title);
  };
  return {"f", "How far each optimizer went, and how large its weights are",
          "Left: distance of the end from the start; right: length of the vector of all weights at the end (bars: mean "
          "over seeds, lines: 95 % intervals). Optimizers that differ here cannot have ended in the same place. With "
          "BN, weights may grow without a change of what the network computes, since BN divides their scale out again.",
          panels({{"distance from the start", chart("travelled", "distance")},
                  {"norm of the weights", chart("norm", "norm")}},
                 2)};
}

Figure im_training_figure(const ArmRuns& runs) {
  const auto width = std::max<size_t>(1, static_cast<size_t>(steps_of(nets().front(), runs.setting().scale)) / 16);
  return {"g", "Training accuracy",
          fmt::format("Share of each batch that the network gets right while it trains (average over the last {} "
                      "steps; line: mean over seeds, band: lowest to highest). Guessing would give {} %. All must have "
                      "learned, or there is no end point worth the name.",
                      width, 100 / runs.classes()),
          by_net([&](const Net& net) {
            std::vector<BandPoint> points;
            for (const Optimizer& optimizer : optimizers()) {
              for (BandPoint point : accuracy_curves(runs, {trained(net, optimizer)}, width)) {
                point.arm = optimizer.name;
                points.push_back(point);
              }
            }
            return band_chart(points, styles_of_all(), "training step", "training accuracy (%)");
          })};
}

}  // namespace bnlab::im
