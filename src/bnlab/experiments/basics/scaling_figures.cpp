#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bnlab/data/ten_people.h"
#include "bnlab/experiments/basics/scaled_inputs.h"
#include "bnlab/study/curves.h"
#include "bnlab/study/evidence.h"

namespace bnlab::inputs {
namespace {

constexpr int64_t kShownLabel = 7;

/// What the analysis of an input recorded under that name: of the first seed, since it is the same for all.
std::vector<ArrayRecord> recorded(const ArmRuns& runs, const Input& input, int64_t layer, const std::string& name) {
  const auto& of = runs.of(looked_at(input));
  return of.empty() ? std::vector<ArrayRecord>() : of.front()->arrays({"scaled-inputs", layer, name});
}

}  // namespace

Figure table_figure(const ArmRuns& runs) {
  const std::vector<std::string> columns = ten_people().columns;
  std::vector<HistogramSample> samples;
  for (const Input& input : all_inputs()) {
    for (size_t c = 0; c < columns.size(); ++c) {
      for (const auto& record : recorded(runs, input, static_cast<int64_t>(c) + 1, "table")) {
        samples.push_back({columns[c] + ", " + input.name, columns[c], record.as_doubles()});
      }
    }
  }
  return {"a", "Ten people, scaled",
          "Height (cm), weight (kg) and age (years) of ten people: a row a scaling, a column a feature. Look at the "
          "numbers on the axes: as they are, the three lie at different places and reach differently far, so that no "
          "one learning rate suits the weights of all. Min-max scaling gives them one range, the z-score one mean and "
          "one deviation, and neither changes a shape; equalization makes each flat, whatever its shape was.",
          histogram_chart(samples, styles_for(columns), "value", {.bins = 5, .columns = columns.size()})};
}

Figure pixels_figure(const ArmRuns& runs) {
  std::vector<HistogramSample> samples;
  std::vector<ArmStyle> styles;
  for (const Input& input : all_inputs()) {
    styles.push_back({input.name, input.color});
    for (const auto& record : recorded(runs, input, 0, "samples")) {
      samples.push_back({input.name, input.name, record.as_doubles()});
    }
  }
  return {"b", "The pixels that the network gets",
          fmt::format("Values of pixels of {}, drawn at random from the first 2,000 training images; shares are on a "
                      "logarithmic axis, since the black background is by far the most. Min-max scaling "
                      "and the z-score change the numbers on the axis and nothing else. Equalization spreads what is "
                      "crowded; it cannot part equal pixels, so that a black background stays one bar.",
                      runs.setting().data.title),
          histogram_chart(samples, styles, "pixel value", {.log_counts = true, .shares = true})};
}

Figure images_figure(const ArmRuns& runs) {
  const int64_t label = std::min(kShownLabel, runs.classes() - 1);
  std::vector<Panel> images;
  for (const Input& input : all_inputs()) {
    std::vector<HeatCell> cells;
    for (const auto& record : recorded(runs, input, 0, "image")) {
      if (record.step == label) cells = shades(record);
    }
    images.push_back({input.name, heat_map_chart(cells, "row", "column", "share of the image's range")});
  }
  return {"c", "One image, scaled",
          "The same training image in each form; colours go from its own lowest value (0) to its highest (1). Raw, "
          "min-max scaled and z-scored it looks the same, since only the numbers differ. Equalization does change the "
          "picture: levels that many pixels have are driven apart, whether the levels are counted over all images or "
          "over this one.",
          panels(images, 3)};
}

Figure rates_figure(const ArmRuns& runs) {
  std::vector<BandPoint> points;
  std::vector<ArmStyle> styles;
  for (const Input& input : all_inputs()) {
    styles.push_back({input.name, input.color});
    for (const double rate : input.rates) {
      PerSeed values = accuracy(runs, plain_arm(input, rate), scored(runs.setting()));
      for (double& value : values) value *= 100;
      if (!values.empty()) points.push_back(band_point(input.name, rate, values));
    }
  }
  return {"e", "Training accuracy by learning rate, without BN",
          fmt::format("Mean over {}; line: mean over seeds, band: lowest to highest seed. A run that diverges counts "
                      "as guessing ({} %). Raw pixels, a hundred times as large, need rates a hundred times as small "
                      "and more; the question is whether their peak is as high.",
                      scored(runs.setting()).text(), 100 / runs.classes()),
          band_chart(points, styles, "learning rate (logarithmic)", "training accuracy (%)",
                     {.points = true, .log_x = true})};
}

}  // namespace bnlab::inputs
