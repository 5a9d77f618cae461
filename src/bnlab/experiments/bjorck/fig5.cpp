// How activations grow through a deep network before training, and how alike the gradients of its outputs are for
// different images, with BN and without. Bjorck et al. 2018, Fig. 5 and 6. Run it: bnlab reproduce --only bjorck-fig5
//
// The paper leaves open where in a layer its moments are taken. Here it is what a layer gives, behind its ReLU, since
// Fig. 5 has the means on a logarithmic axis: in front of the ReLU BN makes them 0. With BN the sums that run through
// the network by its shortcuts grow, too, since each block adds to them: "relatively constant" is judged by a factor of
// 10 between any two layers.
#include <fmt/format.h>

#include <cmath>

#include "bnlab/experiments/bjorck/at_start.h"
#include "bnlab/record/number_text.h"
#include "bnlab/study/curves.h"

namespace bnlab {
namespace bjorck {
namespace {

constexpr char kMoments[] = "moments-by-depth", kOutputs[] = "output-gradients";

int64_t depth_of(const ArmRuns& runs) {
  return deep_network(runs.setting().scale).layers;
}

/// A least-squares line of y against x: its slope, and the share of y's variance that it explains.
struct FittedLine {
  double slope, explained;

  FittedLine(const std::vector<double>& x, const std::vector<double>& y) {
    const double mean_x = mean_of(x), mean_y = mean_of(y);
    double xx = 0, xy = 0, yy = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      xx += (x[i] - mean_x) * (x[i] - mean_x);
      xy += (x[i] - mean_x) * (y[i] - mean_y);
      yy += (y[i] - mean_y) * (y[i] - mean_y);
    }
    slope = xy / xx;
    explained = xy * xy / (xx * yy);
  }
};

/// ln of a moment at all layers against the layer's number, or against its logarithm.
FittedLine line_by_depth(RunReader& run, int64_t layers, const std::string& moment, bool log_depth) {
  std::vector<double> x, y;
  for (int64_t layer = 1; layer <= layers; ++layer) {
    x.push_back(log_depth ? std::log(static_cast<double>(layer)) : static_cast<double>(layer));
    y.push_back(std::log(run.scalar_at({kMoments, layer, moment}, 0).value_or(NAN)));
  }
  return {x, y};
}

PerSeed growth_by_depth(const ArmRuns& runs, const Arm& arm, const std::string& moment) {
  return each(runs, arm, [&](RunReader& run) { return line_by_depth(run, depth_of(runs), moment, false).slope; });
}

/// How much better a straight line in depth fits ln of the moment than one in ln depth.
PerSeed exponential_rather_than_power(const ArmRuns& runs, const Arm& arm, const std::string& moment) {
  return each(runs, arm, [&](RunReader& run) {
    return line_by_depth(run, depth_of(runs), moment, false).explained -
           line_by_depth(run, depth_of(runs), moment, true).explained;
  });
}

/// ln of the largest over the smallest of all layers.
PerSeed range_over_depth(const ArmRuns& runs, const Arm& arm, const std::string& moment) {
  return each(runs, arm, [&](RunReader& run) {
    double least = INFINITY, most = 0;
    for (int64_t layer = 1; layer <= depth_of(runs); ++layer) {
      const double value = run.scalar_at({kMoments, layer, moment}, 0).value_or(NAN);
      lower_to(least, value);
      raise_to(most, value);
    }
    return std::log(most / least);
  });
}

Precondition activations_there(const ArmRuns& runs, const std::vector<Arm>& arms) {
  std::vector<Key> keys;
  for (int64_t layer = 1; layer <= depth_of(runs); ++layer) {
    for (const char* moment : {"output_mean", "output_variance"}) keys.push_back({kMoments, layer, moment});
  }
  return signal_arrives(runs, arms, keys);
}

std::vector<std::pair<Claim, Evidence>> moment_claims(const ArmRuns& runs) {
  const StartArms& arms = at_start();
  const std::string quote =
                        "(Fig. 5: without BN channel means and variances grow almost exponentially with depth, with BN "
                        "they stay relatively constant; paraphrased.)",
                    window = fmt::format("before training, layers 1 to {}", depth_of(runs)),
                    slope =
                        "slope of the least-squares line of ln {} against the layer's number; {} = mean over a "
                        "layer's channels of the {} over images and places, behind the ReLU";
  const auto statistic = [&](const std::string& what) {
    return fmt::format(fmt::runtime(slope), what, what, what == "mean" ? "|mean|" : what);
  };
  const Precondition none_there = activations_there(runs, {arms.none}), bn_there = activations_there(runs, {arms.bn}),
                     both_there = activations_there(runs, arms.both());
  std::vector<std::pair<Claim, Evidence>> all;
  for (const std::string what : {"variance", "mean"}) {
    const std::string moment = "output_" + what;
    const PerSeed none = growth_by_depth(runs, arms.none, moment), bn = growth_by_depth(runs, arms.bn, moment);
    const Rank if_variance = what == "variance" ? Rank::kPrimary : Rank::kSecondary;
    all.push_back({{.id = what + "-grows",
                    .sentence = fmt::format("Without BN the channels' {} grows from layer to layer.", what),
                    .quote = quote,
                    .statistic = statistic(what),
                    .window = window,
                    .unit = "log ratio a layer",
                    .side = Side::above(0),
                    .paper_value = {},
                    .rank = Rank::kPrimary},
                   paired(runs, {arms.none}, {none_there}, none)});
    all.push_back(
        {{.id = "bn-holds-" + what,
          .sentence = fmt::format("With BN the channels' {} grows less from layer to layer than without.", what),
          .quote = quote,
          .statistic = statistic(what) + "; no BN minus BN",
          .window = window,
          .unit = "log ratio a layer",
          .side = Side::above(0),
          .paper_value = {},
          .rank = if_variance},
         paired(runs, arms.both(), {both_there}, minus(none, bn))});
    all.push_back(
        {{.id = what + "-grows-exponentially",
          .sentence = fmt::format("Without BN the growth of the {} is closer to exponential in depth than to a "
                                  "power of depth.",
                                  what),
          .quote = quote,
          .statistic = fmt::format("share of the variance of ln {} over layers that a straight line in the "
                                   "layer's number explains, minus the share that one in its logarithm does",
                                   what),
          .window = window,
          .unit = "share explained",
          .side = Side::above(0),
          .paper_value = {}},
         paired(runs, {arms.none}, {none_there}, exponential_rather_than_power(runs, arms.none, moment))});
    all.push_back(
        {{.id = what + "-constant-with-bn",
          .sentence = fmt::format("With BN the channels' {} stays within a factor of 10 over all layers.", what),
          .quote = quote,
          .statistic = fmt::format("ln of the largest over the smallest {} of all layers, each the mean over "
                                   "the layer's channels, behind the ReLU; the bound is ours",
                                   what),
          .window = window,
          .unit = "log ratio",
          .side = Side::below(std::log(10)),
          .paper_value = {}},
         paired(runs, {arms.bn}, {bn_there}, range_over_depth(runs, arms.bn, moment))});
  }
  return all;
}

std::vector<std::pair<Claim, Evidence>> output_claims(const ArmRuns& runs) {
  const StartArms& arms = at_start();
  const std::string quote =
      "(Section 3 and Fig. 6: without BN the network predicts one class whatever the image, and the gradients of "
      "different images are highly correlated; with BN they depend on the image much more; paraphrased.)";
  const auto without_minus_with = [&](const std::string& name) {
    return minus(at_step_0(runs, arms.none, {kOutputs, 0, name}), at_step_0(runs, arms.bn, {kOutputs, 0, name}));
  };
  const auto claim = [&](const std::string& id, const std::string& sentence, const std::string& statistic,
                         const std::string& unit, const std::string& name, Rank rank) {
    return std::pair{Claim{.id = id,
                           .sentence = sentence,
                           .quote = quote,
                           .statistic = statistic + ", no BN minus BN",
                           .window = "before training, one batch",
                           .unit = unit,
                           .side = Side::above(0),
                           .paper_value = {},
                           .rank = rank},
                     paired(runs, arms.both(), {signal_arrives(runs, arms.both(), {{kOutputs, 0, "largest_class"}})},
                            without_minus_with(name))};
  };
  return {claim("alike-without-bn",
                "The gradients that different images send back from the outputs are more alike without BN.",
                "mean cosine between the gradients of two images' outputs, over all pairs whose gradients are not 0",
                "cosine", "cosine", Rank::kPrimary),
          claim("one-class-without-bn", "Without BN more of those gradients lies in one and the same class.",
                "share of the sum of squares of the gradients of all outputs that lies in the class with most of it",
                "share", "largest_class", Rank::kSecondary),
          claim("same-answer-without-bn", "Without BN more of the images get the same answer.",
                "share of the batch's images whose most likely class is the one that is so most often", "share",
                "same_answer", Rank::kSecondary)};
}

/// Layers 1, 3, 5, … end in the sum that runs through the network, layers 2, 4, … stand inside its blocks.
Json moment_chart(const ArmRuns& runs, const std::string& moment, const std::string& y_title) {
  std::vector<BandPoint> points;
  std::vector<ArmStyle> styles;
  for (const Arm& arm : at_start().both()) {
    const std::string inside = arm.name() + ", inside blocks";
    styles.insert(styles.end(), {arm.style, {inside, arm.style.color, {4, 3}}});
    for (int64_t layer = 1; layer <= depth_of(runs) && !runs.of(arm).empty(); ++layer) {
      points.push_back(band_point(layer % 2 == 1 ? arm.name() : inside, static_cast<double>(layer),
                                  at_step_0(runs, arm, {kMoments, layer, moment})));
    }
  }
  return band_chart(points, styles, "layer (1: next to the images)", y_title, {.log_y = true});
}

Figure moments_figure(const ArmRuns& runs) {
  return {
      "a", "Mean and variance by layer, before training",
      "Each layer's channels have a mean and a variance over images and places; drawn is the average over the "
      "channels, of what the layer gives behind its ReLU. The axes are logarithmic: a straight line that rises is "
      "exponential growth, by the same factor in every layer. If BN holds activations in place, red stays low where "
      "blue climbs. Solid: layers that end in the sum which runs through the network by its shortcuts; dashed: the "
      "layers between them, inside the blocks. The falls of the solid lines are where the number of channels "
      "doubles. Line: mean over seeds, band: lowest to highest.",
      panels({{"mean", moment_chart(runs, "output_mean", "mean of a channel (logarithmic)")},
              {"variance", moment_chart(runs, "output_variance", "variance of a channel (logarithmic)")}},
             2)};
}

Json output_map(const ArmRuns& runs, const Arm& arm) {
  constexpr int64_t kShown = 32;
  std::vector<HeatCell> cells;
  if (!runs.of(arm).empty()) {
    RunReader& run = *runs.of(arm).front();
    const double batch = static_cast<double>(std::get<TrainSpec>(run.spec()).batch);
    for (const ArrayRecord& record : run.arrays({kOutputs, 0, "gradients"})) {
      const std::vector<double> values = record.as_doubles();
      const int64_t classes = record.shape.at(1);
      for (int64_t i = 0; i < std::min(kShown, record.shape.at(0)) * classes; ++i) {
        cells.push_back(
            {std::to_string(i / classes + 1), std::to_string(i % classes), batch * values.at(static_cast<size_t>(i))});
      }
    }
  }
  return heat_map_chart(cells, "image", "class", "gradient", {.middle = 0});
}

Figure output_figure(const ArmRuns& runs) {
  std::vector<Panel> maps;
  for (const Arm& arm : at_start().both()) {
    const PerSeed cosines = at_step_0(runs, arm, {kOutputs, 0, "cosine"});
    maps.push_back(
        {cosines.empty() ? arm.name() : fmt::format("{}: mean cosine {}", arm.name(), fixed_text(cosines.front(), 2)),
         output_map(runs, arm)});
  }
  return {
      "b", "The gradient of the outputs, image by image",
      "A row an image, a column a class: the derivative of the image's loss with respect to the class's output, its "
      "probability minus 1 at the true class. Without BN (left), if the paper is right, one column is red from top "
      "to bottom: the network names the same class for every image, and all images pull the same way, which the mean "
      "cosine between rows says in a number (1: the same direction; 0: none in common). A row without colour is an "
      "image for which the network is right and sure. First seed.",
      panels(maps, 2)};
}

Figure alike_figure(const ArmRuns& runs) {
  std::vector<SeedValue> values;
  const std::pair<const char*, const char*> measures[] = {{"mean cosine", "cosine"},
                                                          {"share of the largest class", "largest_class"},
                                                          {"share of images with the same answer", "same_answer"}};
  for (const auto& [title, name] : measures) {
    for (const Arm& arm : at_start().both()) {
      const PerSeed numbers = at_step_0(runs, arm, {kOutputs, 0, name});
      for (size_t i = 0; i < numbers.size(); ++i) {
        values.push_back({title, arm.name(), runs.setting().seeds[i], numbers[i]});
      }
    }
  }
  return {
      "c", "How alike the images' gradients are, seed by seed",
      "Mean cosine between the output gradients of two images; the share of all squares of these gradients that lies "
      "in one class; the share of images that get the most frequent answer. A dot a seed, with mean and 95 % "
      "interval. If a network treats all images alike, its dots lie far right.",
      strip_chart(values, styles_of(at_start().both()), "", "cosine, or share")};
}

Figure linear_figure(const ArmRuns& runs) {
  return {"d", "The same in front of BN",
          "As figure a, of what the convolutions give: with BN, before it is normalized. For the mean, its magnitude.",
          panels({{"|mean|", moment_chart(runs, "linear_mean", "|mean| of a channel (logarithmic)")},
                  {"variance", moment_chart(runs, "linear_variance", "variance of a channel (logarithmic)")}},
                 2)};
}

std::vector<std::string> fig5_was_run(const Setting& setting) {
  return {
      what_was_started(setting),
      "Looked at once, before the first step, in training mode (BN by the batch's own statistics). Moments: of "
      "the first training images, as many as in a batch. Gradients of the outputs: of the first batch.",
      "An image whose output gradient is exactly 0, since the network is right and sure beyond what single precision "
      "tells from 1, has no direction and is left out of the cosine."};
}

Findings fig5_findings(const Setting& setting, Results& results) {
  const ArmRuns runs(setting, results);
  std::vector<std::pair<Claim, Evidence>> claims = moment_claims(runs);
  for (auto& claim : output_claims(runs)) claims.push_back(std::move(claim));
  return {{moments_figure(runs), output_figure(runs), alike_figure(runs), linear_figure(runs)}, claims, {}};
}

}  // namespace
}  // namespace bjorck

Experiment bjorck_fig5() {
  return {"bjorck-fig5",
          "Activations by depth, and what the outputs send back",
          {"M23"},
          bjorck::kSource,
          "Fig. 5 and 6",
          "Do activations grow with depth without BN, and do all images then ask for the same change?",
          runs_of(bjorck::at_start().both()),
          bjorck::fig5_was_run,
          bjorck::fig5_findings,
          {.plainly = "One batch of images passes through a network of 110 layers before any training, and the size of "
                      "the numbers is measured behind each layer. On the logarithmic axis a straight rise is explosive "
                      "growth: compare the network without BN with the one that has it."}};
}

}  // namespace bnlab
