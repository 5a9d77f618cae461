// A report with one figure of every kind of chart, for tests/browser/chart_gallery.test.mjs to open in a browser.
// Usage: chart_gallery FOLDER, in which report.html and report.json are written.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iostream>

#include "bnlab/charts/charts.h"
#include "bnlab/record/figure.h"
#include "bnlab/report/report.h"

namespace bnlab {
namespace {

const std::vector<ArmStyle>& arms() {
  static const std::vector<ArmStyle> styles = {
      {"no BN, rate 0.1", colors::kBlue}, {"BN, rate 0.1", colors::kRed}, {"BN, rate 0.5", colors::kGreen, {6, 4}}};
  return styles;
}

/// The same numbers between 0 and 1 on every machine.
double noise(size_t i, size_t k) {
  const double x = 43758.5453 * std::sin(12.9898 * static_cast<double>(i + 1) + 78.233 * static_cast<double>(k + 1));
  return x - std::floor(x);
}

/// A sample around `center`, roughly normal.
std::vector<double> bell(double center, double spread, size_t n, size_t k) {
  std::vector<double> values;
  for (size_t i = 0; i < n; ++i) {
    double sum = 0;
    for (size_t j = 0; j < 6; ++j) sum += noise(6 * i + j, k) - 0.5;
    values.push_back(center + spread * sum);
  }
  return values;
}

std::vector<BandPoint> curves(bool loss) {
  std::vector<BandPoint> points;
  for (size_t a = 0; a < arms().size(); ++a) {
    for (int step = 0; step <= 400; step += 10) {
      const double learned = 1 - std::exp(-step / (120.0 - 40 * static_cast<double>(a)));
      const double mean = loss ? 2.3 * std::pow(10, -2 * learned) : 10 + 78 * learned;
      const double width = (loss ? 0.3 * mean : 4) * (0.5 + noise(static_cast<size_t>(step), a));
      points.push_back({arms()[a].arm, static_cast<double>(step), mean, mean - width, mean + width});
    }
  }
  return points;
}

Json band_with_what_cannot_be_drawn() {
  auto points = curves(true);
  points[3].mean = NAN;
  points[5].low = -0.1;
  points[6].high = INFINITY;
  return band_chart(points, arms(), "training step", "loss", {.log_y = true});
}

Json power_laws() {
  std::vector<BandPoint> points;
  for (size_t i = 0; i < 40; ++i) {
    const double x = std::pow(10, 4 * noise(i, 3) - 2);
    points.push_back({"no BN, rate 0.1", x, 0.8 * std::sqrt(x) * (0.7 + 0.6 * noise(i, 4)), 0, 0});
    points.push_back({"BN, rate 0.1", x, 2.0 * x * (0.7 + 0.6 * noise(i, 5)), 0, 0});
  }
  return scatter_chart(points, arms(), "gradient norm", "step length",
                       {.log_x = true, .log_y = true, .diagonal = true, .fit = true});
}

Json linear_scatter() {
  std::vector<BandPoint> points;
  for (size_t i = 0; i < 60; ++i) {
    points.push_back({arms()[i % 3].arm, noise(i, 6), 40 + 30 * noise(i, 6) + 15 * noise(i, 7), 0, 0});
  }
  return scatter_chart(points, arms(), "drift of the mean", "training accuracy (%)");
}

Json ridges() {
  std::vector<Ridge> rows;
  for (int step = 0; step <= 400; step += 40) {
    auto moving = bell(0.005 * step, 1 + 0.002 * step, 800, static_cast<size_t>(step));
    auto still = bell(0, 1, 800, static_cast<size_t>(step) + 1);
    std::sort(moving.begin(), moving.end());
    std::sort(still.begin(), still.end());
    rows.push_back({"layer 3, no BN", static_cast<double>(step), moving});
    rows.push_back({"layer 3, BN", static_cast<double>(step), still});
  }
  return ridge_chart(rows, {"layer 3, no BN", "layer 3, BN"}, 2, "activation (input of the ReLU)", "step");
}

Json overlaid_histogram() {
  return histogram_chart({{"", "no BN, rate 0.1", bell(0.6, 1.4, 4000, 1)}, {"", "BN, rate 0.1", bell(0, 1, 4000, 2)}},
                         arms(), "activation");
}

Json histogram_panels() {
  std::vector<HistogramSample> samples;
  for (size_t layer = 1; layer <= 4; ++layer) {
    for (size_t a = 0; a < 2; ++a) {
      std::vector<double> sizes;
      for (const double v : bell(-static_cast<double>(layer + a), 1.5, 3000, layer + 10 * a))
        sizes.push_back(std::exp(v));
      samples.push_back({fmt::format("layer {}", layer), arms()[a].arm, sizes});
    }
  }
  return histogram_chart(samples, arms(), "size of a gradient's component", {.log_x = true, .log_counts = true});
}

std::vector<Bar> accuracies() {
  std::vector<Bar> bars;
  for (const char* rate : {"0.01", "0.1", "0.5", "1.0"}) {
    for (size_t a = 0; a < 3; ++a) {
      const double value = 30 + 55 * noise(bars.size(), 9);
      bars.push_back({rate, arms()[a].arm, value, value - 6 * noise(bars.size(), 8), value + 5});
    }
  }
  return bars;
}

Json upright_bars() {
  return bar_chart(accuracies(), arms(), "learning rate", "test accuracy (%)",
                   {.reference = 10, .reference_label = "chance"});
}

Json level_bars() {
  return bar_chart(accuracies(), arms(), "learning rate", "test accuracy (%)", {.horizontal = true});
}

Json dots_on_a_logarithmic_axis() {
  std::vector<Bar> bars;
  for (const char* layer : {"conv 1", "conv 3", "conv 5", "dense"}) {
    for (size_t a = 0; a < 3; ++a) {
      const double value = std::pow(10, 3 * noise(bars.size(), 11) - 2);
      bars.push_back({layer, arms()[a].arm, value, value / 1.6, value * 1.6});
    }
  }
  return bar_chart(bars, arms(), "", "largest eigenvalue", {.log = true, .horizontal = true});
}

Json heat_map(const HeatMapOptions& options, size_t columns) {
  std::vector<HeatCell> cells;
  for (size_t r = 0; r < 8; ++r) {
    for (size_t c = 0; c < columns; ++c) {
      const double at = (static_cast<double>(r) - 3.5) * (static_cast<double>(c) / static_cast<double>(columns) - 0.5);
      const double value = options.log ? std::pow(10, at) : at;
      cells.push_back({fmt::format("layer {}", r + 1), fmt::format("{}", 10 * c), r == 2 && c == 3 ? NAN : value});
    }
  }
  return heat_map_chart(cells, "", "training step", options.middle ? "ln(with BN / without)" : "norm of the gradient",
                        options);
}

Json strip_by_rate() {
  std::vector<SeedValue> values;
  for (const char* rate : {"rate 0.1", "rate 0.5", "rate 1.0"}) {
    for (size_t a = 0; a < 3; ++a) {
      const double center = 40 + 45 * noise(values.size(), 12);
      for (int64_t seed = 1; seed <= 5; ++seed) {
        values.push_back({rate, arms()[a].arm, seed, center + 8 * noise(static_cast<size_t>(seed), values.size())});
      }
    }
  }
  return strip_chart(values, arms(), "", "test accuracy (%)", {.reference = 10, .reference_label = "chance"});
}

Json strip_of_arms() {
  std::vector<SeedValue> values;
  for (size_t a = 0; a < 3; ++a) {
    for (int64_t seed = 1; seed <= 5; ++seed) {
      values.push_back(
          {"", arms()[a].arm, seed, std::pow(10, static_cast<double>(a) + 0.4 * noise(static_cast<size_t>(seed), a))});
    }
  }
  return strip_chart(values, arms(), "", "effective β", {.log = true});
}

Json curve_panels() {
  std::vector<ArmStyle> other = {{"noise, no BN", colors::kPurple}};
  auto noisy = curves(false);
  std::erase_if(noisy, [](const BandPoint& p) { return p.arm != "no BN, rate 0.1"; });
  for (auto& point : noisy) point.arm = "noise, no BN";
  return panels({{"plain and BN", band_chart(curves(false), arms(), "training step", "accuracy (%)")},
                 {"noise", band_chart(noisy, other, "training step", "accuracy (%)")},
                 {"nothing measured", band_chart({}, arms(), "training step", "accuracy (%)")},
                 {"loss", band_with_what_cannot_be_drawn()}},
                2);
}

Json stepped() {
  SteppedPanel still{"stands still", {}}, moving{"moves", {}};
  for (int64_t step = 0; step <= 40; step += 10) {
    const auto t = static_cast<double>(step) / 10;
    SteppedFrame at{step, {}, {{"line", 1, 1 + t, -1}}}, there = at;
    for (size_t i = 0; i < 40; ++i) {
      const std::string arm = arms()[i % 2].arm;
      at.points.push_back({arm, noise(i, 20), noise(i, 21)});
      there.points.push_back({arm, noise(i, 20) + t / 2, noise(i, 21) - t / 4});
    }
    there.lines.front().c -= t / 2;
    still.frames.push_back(at);
    moving.frames.push_back(there);
  }
  return stepped_chart({still, moving}, arms(), "x1", "x2", 2);
}

std::vector<Figure> gallery() {
  return {
      {"stepped", "Stepped", "Points and a line, with a slider.", stepped()},
      {"band", "Band", "Curves.", band_chart(curves(false), arms(), "training step", "training accuracy (%)")},
      {"band-log", "Band, logarithmic", "With what cannot be drawn.", band_with_what_cannot_be_drawn()},
      {"scatter", "Scatter", "Points.", linear_scatter()},
      {"scatter-log", "Scatter, log-log", "Power laws.", power_laws()},
      {"ridges", "Ridges", "Densities.", ridges()},
      {"histogram", "Histogram", "Two arms.", overlaid_histogram()},
      {"histogram-panels", "Histograms", "In panels, logarithmic.", histogram_panels()},
      {"bars", "Bars", "Upright.", upright_bars()},
      {"bars-level", "Bars", "Level.", level_bars()},
      {"bars-log", "Dots", "On a logarithmic axis.", dots_on_a_logarithmic_axis()},
      {"heat", "Heat map", "One cell is not a number.", heat_map({.log = true}, 60)},
      {"heat-marks", "Heat map, marked", "Two cells have names.",
       heat_map({.marks = {{"layer 2", "20", "start"}, {"layer 7", "150", "end"}}}, 20)},
      {"heat-diverging", "Heat map, diverging", "With numbers.", heat_map({.middle = 0, .numbers = true}, 10)},
      {"heat-numbers", "Heat map", "With numbers.", heat_map({.numbers = true}, 10)},
      {"strip", "Seed by seed", "By rate.", strip_by_rate()},
      {"strip-log", "Seed by seed", "A row an arm.", strip_of_arms()},
      {"panels", "Panels", "Curves; one panel has no data.", curve_panels()},
      {"none", "Nothing", "No data at all.", bar_chart({}, arms(), "rate", "test accuracy (%)")},
  };
}

}  // namespace
}  // namespace bnlab

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: chart_gallery FOLDER\n";
    return 2;
  }
  bnlab::Json figures = bnlab::Json::array();
  for (const auto& figure : bnlab::gallery()) {
    figures.push_back({{"experiment", "gallery"},
                       {"id", figure.id},
                       {"title", figure.title},
                       {"caption", figure.caption},
                       {"spec", figure.spec}});
  }
  bnlab::write_report({{"schema_version", 2},
                       {"data", "made-up numbers"},
                       {"scale", "smoke"},
                       {"experiments", {{{"name", "gallery"}, {"title", "Every kind of chart"}}}},
                       {"figures", figures}},
                      argv[1]);
}
