#include "bnlab/experiments/bjorck/fig1_figures.h"

#include <fmt/format.h>

#include <map>

#include "bnlab/study/curves.h"

namespace bnlab::bjorck {
namespace {

/// Test accuracy along training; from where it diverged on, a run guesses.
std::vector<BandPoint> test_curves(const ArmRuns& runs) {
  const TrainedNetwork p = trained_network(runs.setting());
  const int64_t every = steps_between_tests(p);
  std::vector<BandPoint> points;
  for (const Arm& arm : all_trained()) {
    std::map<int64_t, std::vector<double>> by_step;
    for (RunReader* run : runs.of(arm)) {
      const Series series = run->scalars({"accuracy", 0, "test_accuracy"});
      for (size_t i = 0; i < series.steps.size(); ++i) by_step[series.steps[i]].push_back(100 * series.values[i]);
      if (run->diverged_at() < 0) continue;
      for (int64_t step = 0; step <= p.steps; step += every) {
        if (step >= run->diverged_at()) by_step[step].push_back(100.0 / static_cast<double>(runs.classes()));
      }
    }
    for (const auto& [step, values] : by_step) {
      points.push_back(band_point(arm.name(), static_cast<double>(step), values));
    }
  }
  return points;
}

Json trained_outcomes(const ArmRuns& runs) {
  const TrainedNetwork p = trained_network(runs.setting());
  std::vector<HeatCell> cells;
  HeatMapOptions options;
  for (const auto& [row, arms] : {std::pair("BN", with_bn()), std::pair("no BN", without_bn())}) {
    for (size_t i = arms.size(); i-- > 0;) {
      const PerSeed reached = accuracy(runs, arms[i], p.last_quarter());
      if (reached.empty()) continue;
      const std::string rate = fmt::format("{}", p.rates()[i]);
      cells.push_back({row, rate, 100 * mean_of(reached)});
      options.marks.push_back({row, rate, outcomes_in_words(runs, arms[i])});
    }
  }
  return heat_map_chart(cells, "", "learning rate", "training accuracy (%)", options);
}

Json deep_outcomes(const ArmRuns& runs) {
  std::vector<HeatCell> cells;
  HeatMapOptions options;
  for (const bool bn : {true, false}) {
    for (const double rate : kDeepRates) {
      const PerSeed values = diverged(runs, deep_at(bn, rate));
      if (values.empty()) continue;
      const std::string row = bn ? "BN" : "no BN", column = fmt::format("{}", rate);
      cells.push_back({row, column, 100 * mean_of(values)});
      options.marks.push_back(
          {row, column,
           fmt::format("{:.0f} of {}", mean_of(values) * static_cast<double>(values.size()), values.size())});
    }
  }
  return heat_map_chart(cells, "", "learning rate", "diverged (%)", options);
}

}  // namespace

Figure rates_curves_figure(const ArmRuns& runs) {
  const TrainedNetwork p = trained_network(runs.setting());
  const std::vector<Arm> all = all_trained();
  const auto width = std::max<size_t>(1, static_cast<size_t>(p.steps) / 16);
  return {"a", "Training and test accuracy at three learning rates",
          fmt::format(
              "Left: share of each mini-batch that the network gets right while it trains (average over the last {} "
              "steps); right: the same of {} test images. Red with BN, blue without; solid at the highest rate, {}, "
              "dashed at {}, dotted at {}. Line: mean over seeds, band: lowest to highest; guessing would give {} %. "
              "The paper: with BN the highest rate is fastest and ends best; at the lowest rate BN makes little "
              "difference; without BN higher rates fail. So look whether red rises above blue of the same dashes, or "
              "only solid red above the rest.",
              width, kTestImages, p.high, p.middle, p.low, 100 / runs.classes()),
          panels({{"training", band_chart(accuracy_curves(runs, all, width), styles_of(all), "training step",
                                          "training accuracy (%)")},
                  {"test", band_chart(test_curves(runs), styles_of(all), "training step", "test accuracy (%)",
                                      {.points = true})}},
                 2)};
}

Figure outcomes_figure(const ArmRuns& runs) {
  const TrainedNetwork p = trained_network(runs.setting());
  return {
      "b", "What becomes of a network at each rate",
      fmt::format(
          "Left: how many seeds of the deep network ({} convolutions) diverge within their first {} steps, which is "
          "where the paper's does. Right: what became of the network whose curves figure a shows, with its "
          "training accuracy over {}: it learned, it diverged (a mini-batch's loss above 1000), or neither: it did "
          "not learn, with a training accuracy less than {:.0f} points above guessing. Only depth makes large "
          "rates diverge at once; a shallower network may survive them and learn nothing all the same.",
          deep_network(runs.setting().scale).layers, kDeepSteps, p.last_quarter().text(), 100 * kLearnedMargin),
      panels({{"the deep network's first steps", deep_outcomes(runs)}, {"after training", trained_outcomes(runs)}}, 2)};
}

Figure deep_losses_figure(const ArmRuns& runs) {
  std::vector<Panel> charts;
  for (const bool bn : {true, false}) {
    std::vector<ArmStyle> styles;
    std::vector<BandPoint> points;
    for (size_t i = 0; i < kDeepRates.size(); ++i) {
      const std::string name = fmt::format("rate {}", kDeepRates[i]);
      styles.push_back({name, categories().at(i)});
      for (BandPoint point : loss_curves(runs, {deep_at(bn, kDeepRates[i])})) {
        point.arm = name;
        points.push_back(point);
      }
    }
    charts.push_back({bn ? "BN" : "no BN", band_chart(points, styles, "training step", "loss (logarithmic)",
                                                      {.points = true, .log_y = true})});
  }
  return {"c", "The deep network's first losses",
          "Loss of each mini-batch in its first steps, with BN and without. Without BN it begins far above guessing, "
          "since values grow from block to block; one step at a high rate and it leaves the scale, and a run ends "
          "where its loss is above 1000 or no number any more. Line: mean over seeds, band: lowest to highest.",
          panels(charts, 2)};
}

}  // namespace bnlab::bjorck
