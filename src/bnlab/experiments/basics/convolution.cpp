// BN in a convolution: Ioffe & Szegedy 2015, section 3.2. Run it: bnlab reproduce --only convolution
#include <fmt/format.h>

#include <cmath>

#include "bnlab/experiments/basics/basics.h"
#include "bnlab/experiments/basics/small_vgg.h"
#include "bnlab/study/curves.h"
#include "bnlab/study/evidence.h"

namespace bnlab {
namespace {

constexpr double kRounding = 1e-3;  // far above float's rounding, far below what one sees
constexpr int64_t kBatch = 8, kBatches = 50;

const SmallVggLook kLook = {
    {{"channels of the finished network", colors::kInk}},
    "channel-statistics",
    fmt::format("after the last step, {} batches of {} training images, all layers whose maps have more than one "
                "position",
                kBatches, kBatch)};

std::vector<std::pair<Claim, Evidence>> claims(const ArmRuns& runs) {
  const auto of = [&](const std::string& name) { return paired(runs, {kLook.arm}, {}, kLook.recorded(runs, 0, name)); };
  const std::string property =
      "For convolutional layers, we additionally want the normalization to obey the convolutional property – so that "
      "different elements of the same feature map, at different locations, are normalized in the same way. (Section "
      "3.2)";
  return {
      {kLook.claim("one-mean-a-channel", Rank::kPrimary,
                   "Behind BN every channel has mean β over the batch's images, rows and columns together.",
                   "largest |mean − β| of a channel and batch / standard deviation of the layer's values; the bound is "
                   "ours, float rounds at 1e-7",
                   "share of the standard deviation", Side::below(kRounding), property),
       of("mean_off")},
      {kLook.claim(
           "pattern-kept", Rank::kPrimary,
           "BN keeps the pattern of a feature map: what is behind it is what is in front of it, but for one shift "
           "and one stretch.",
           "1 − |correlation| between an image's map in front of BN and behind it, mean over maps; the bound is "
           "ours",
           "1 − |correlation|", Side::below(kRounding), property),
       of("channel_bent")},
      {kLook.claim(
           "steadier", Rank::kPrimary,
           fmt::format("Over rows and columns too, a batch of {} images gives a steadier mean than at each "
                       "position by itself.",
                       kBatch),
           "ln of the ratio of how far a batch's mean is off, in standard deviations: of a channel, to that of a "
           "position; mean over the layers",
           "log ratio", Side::below(0),
           "(Section 3.2: a mini-batch of m examples and feature maps of size p × q make an effective mini-batch "
           "of m·p·q; paraphrased.)"),
       of("steadier")},
      {kLook.claim("position-bends", Rank::kSecondary,
                   "To standardize every position by itself would change the pattern.",
                   "1 − |correlation| between an image's map and the one in which each position is standardized, mean "
                   "over maps and layers; the bound is ours",
                   "1 − |correlation|", Side::above(10 * kRounding), property),
       of("position_bent")},
      {kLook.claim(
           "worth-less-than-counted", Rank::kSecondary,
           "Neighbours in a map are alike, so the batch's m·p·q values are worth fewer independent ones.",
           "ln of (1 / (how far a batch's mean is off, in standard deviations)²) / (m·p·q); mean over the layers",
           "log ratio", Side::below(0), "(Ours: the paper only counts them.)"),
       of("worth")}};
}

/// What the first seed's analysis recorded of the first layer.
std::vector<ArrayRecord> shown(const ArmRuns& runs, int64_t channel, const std::string& name) {
  const auto& of = runs.of(kLook.arm);
  return of.empty() ? std::vector<ArrayRecord>() : of.front()->arrays({kLook.analysis, channel, name});
}

Figure histograms_figure(const ArmRuns& runs) {
  const std::string before = "in front of BN", after = "behind BN";
  std::vector<HistogramSample> samples;
  std::vector<ArmStyle> styles;
  const std::vector<std::string> names = {"channel 1", "channel 2", "channel 3"};
  const std::vector<std::string> tints = {colors::kBlue, colors::kRed, colors::kGreen};
  for (size_t i = 0; i < names.size(); ++i) styles.push_back({names[i], tints[i]});
  for (const auto& [name, panel] : {std::pair{"before", before}, std::pair{"after", after}}) {
    for (size_t i = 0; i < names.size(); ++i) {
      for (const auto& record : shown(runs, static_cast<int64_t>(i) + 1, name)) {
        samples.push_back({panel, names[i], record.as_doubles()});
      }
    }
  }
  return {"b", "Three channels of the first layer",
          fmt::format("Values of three channels over {} images and all rows and columns, in front of BN (left) and "
                      "behind it (right). In front, each channel has a place and a width of its own. BN gives each one "
                      "mean and one deviation; it then shifts and stretches each by its β and γ, which training has "
                      "moved from 0 and 1. Within a channel the shape stays as it was.",
                      kBatch),
          histogram_chart(samples, styles, "value", {.shares = true})};
}

Figure maps_figure(const ArmRuns& runs) {
  std::vector<Panel> maps;
  for (const auto& [name, title] : {std::pair{"map", "in front of BN"}, std::pair{"map_channel", "behind BN"},
                                    std::pair{"map_position", "each position by itself"}}) {
    std::vector<HeatCell> cells;
    for (const auto& record : shown(runs, 0, name)) cells = shades(record);
    maps.push_back({title, heat_map_chart(cells, "row", "column", "share of the map's range")});
  }
  return {"a", "One feature map",
          "What one channel of the first layer makes of one training image; colours go from the map's lowest value (0) "
          "to its highest (1), or the other way round where γ is negative. BN moves all positions alike, and the "
          "picture is the same. If every position were standardized by its own mean and deviation over images, what "
          "all images share would vanish and the pattern with it.",
          panels(maps, 3)};
}

Figure noise_figure(const ArmRuns& runs) {
  const std::vector<ArmStyle> styles = {{"of each position", colors::kGold},
                                        {"of a channel, as BN takes it", colors::kRed},
                                        {"1/√(m·p·q), were all values independent", colors::kInk, {2, 3}}};
  std::vector<BandPoint> points;
  const auto add = [&](int64_t layer, const ArmStyle& style, const PerSeed& values) {
    if (!values.empty() && std::isfinite(values.front())) {
      points.push_back(band_point(style.arm, static_cast<double>(layer), values));
    }
  };
  for (int64_t layer = 1; layer <= kSmallVggLayers; ++layer) {
    add(layer, styles[0], kLook.recorded(runs, layer, "position_noise"));
    add(layer, styles[1], kLook.recorded(runs, layer, "channel_noise"));
    PerSeed counted = kLook.recorded(runs, layer, "values");
    for (double& value : counted) value = 1 / std::sqrt(value);
    add(layer, styles[2], counted);
  }
  return {"c", "How far a batch's mean is off",
          fmt::format(
              "Root mean square of a mean over {} images minus the mean over {}, in standard deviations of the "
              "values, by layer (deeper layers have smaller maps; those with a single position are left out); "
              "line: mean over seeds, band: lowest to highest. Compare the mean by channel (red) with that of "
              "each position (gold). Dotted: what the channel's would be if all its values were independent. Above it, "
              "neighbours in a map are alike; below it, values differ more by their position than from image "
              "to image, and a batch holds all positions.",
              kBatch, kBatch * kBatches),
          band_chart(points, styles, "layer", "standard deviations (logarithmic)", {.points = true, .log_y = true})};
}

std::vector<std::string> what_was_run(const Setting& setting) {
  return {what_small_vgg_is(setting),
          fmt::format("{} batches of {} training images then pass through the finished network, in training mode: what "
                      "every convolution gives is compared with what BN makes of it, channel by channel and position "
                      "by position, in double precision.",
                      kBatches, kBatch)};
}

Findings findings(const Setting& setting, Results& results) {
  const ArmRuns runs(setting, results);
  return {{maps_figure(runs), histograms_figure(runs), noise_figure(runs)}, claims(runs), {}};
}

}  // namespace

Experiment convolution() {
  return {"convolution",
          "BN in a convolution",
          {"M5"},
          "Ioffe & Szegedy 2015, Batch Normalization (arXiv 1502.03167)",
          "section 3.2; no figure",
          "Over which values does BN take its mean and variance in a convolution, and why over those?",
          [](const Setting& setting) { return kLook.plan(setting); },
          what_was_run,
          findings,
          {.chapter = Chapter::kConvolutions,
           .plainly = "A convolution applies one filter at all places of an image, so BN gives each channel one mean "
                      "and one variance over all images, rows and columns of the batch. Compare a feature map in front "
                      "of BN and behind it with what would become of it if every position had its own."}};
}

}  // namespace bnlab
