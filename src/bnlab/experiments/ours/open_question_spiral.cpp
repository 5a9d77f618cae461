#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bnlab/experiments/ours/ours.h"
#include "bnlab/experiments/ours/path_geometry.h"
#include "bnlab/experiments/santurkar/vgg.h"

namespace bnlab {
namespace {

using namespace santurkar;

const char* const kBn = "BN, rate 0.1";
const char* const kPlain = "no BN, rate 0.1";

// Written down before measuring. Updates zigzag if successive ones point against each other, and the path spirals if
// updates some steps apart do, while neighbours agree. 0.1 is our bound for "at all": the cosine of two directions that
// have nothing to do with each other is below 0.03 in size here (1/sqrt of the sketch's 2,048 sums).
constexpr double kAtAll = 0.1;
constexpr int64_t kMostLag = 50;

const std::vector<Arm>& arms() {
  static const std::vector<Arm> all = {plain(0.1), bn(0.1)};
  return all;
}

std::vector<std::string> what_was_run(const Setting& setting) {
  return {
      what_was_trained(setting),
      "Of every step a sketch of the gradient is kept: 2,048 signed sums over its entries, which keep angles to about "
      "0.02. From these follow the angle between any two updates, the path's length over its displacement, the angle "
      "between an update and what is left of the way, and the path's shadow on its two main directions. A batch of 128 "
      "images makes every gradient noisy; noise alone makes cosines small, never negative."};
}

int64_t most_lag(const Protocol& p) {
  return std::min<int64_t>(kMostLag, p.steps / 4);
}

using Paths = std::map<std::string, std::vector<PathGeometry>>;

/// The least mean cosine of updates 2 to most_lag() steps apart.
double least_later_cosine(const PathGeometry& path, const Protocol& p, const Window& window) {
  double least = 1;
  for (int64_t lag = 2; lag <= most_lag(p); ++lag) {
    const double cosine = path.mean_cosine(lag, window.begin, window.end);
    lower_to(least, cosine);
  }
  return least;
}

std::vector<std::pair<Claim, Evidence>> claims(const TrainedArms& trained, const Paths& paths, const Protocol& p) {
  const Window window = second_half(p);
  const std::string quote = "(Ours: the open question of the note that this project began with.)";
  std::vector<std::pair<Claim, Evidence>> all;
  for (const char* arm : {kBn, kPlain}) {
    const std::string id = arm == kBn ? "bn" : "plain";
    const std::vector<PathGeometry>& of_arm = paths.at(arm);
    const auto learned = std::vector<Precondition>{trained.learned({arm}, window)};
    all.push_back(
        {{"zigzags-" + id, fmt::format("The path of \"{}\" zigzags: an update points against the one before.", arm),
          quote, "mean cosine of successive updates over the window", window.text(), "cosine", Side::below(-kAtAll),
          std::nullopt},
         trained.evidence({arm}, learned, [&of_arm, window](size_t i) {
           return of_arm.at(i).mean_cosine(1, window.begin, window.end);
         })});
    all.push_back(
        {{"spirals-" + id,
          fmt::format("The path of \"{}\" spirals: updates some steps apart point against each other.", arm), quote,
          fmt::format("least, over lags 2 to {}, of the mean cosine of updates that far apart", most_lag(p)),
          window.text(), "cosine", Side::below(-kAtAll), std::nullopt},
         trained.evidence({arm}, learned,
                          [&of_arm, p, window](size_t i) { return least_later_cosine(of_arm.at(i), p, window); })});
  }
  const std::vector<PathGeometry>&with = paths.at(kBn), &without = paths.at(kPlain);
  all.push_back({{"bn-more-direct", "With BN the path is more direct: shorter for the way that it makes.", quote,
                  "ln of the ratio, with BN to without, of path length over displacement in the window", window.text(),
                  "log ratio", Side::below(0), std::nullopt},
                 trained.evidence({kBn, kPlain}, {trained.learned({kBn, kPlain}, window)}, [&, window](size_t i) {
                   return std::log(with.at(i).tortuosity(window.begin, window.end) /
                                   without.at(i).tortuosity(window.begin, window.end));
                 })});
  return all;
}

std::string shape_in_words(const JudgedClaim& zigzags, const JudgedClaim& spirals, double least_later) {
  if (zigzags.verdict == Verdict::kSupported) {
    return fmt::format("zigzags (cosine of successive updates {:+.2f})", zigzags.interval.mean);
  }
  if (spirals.verdict == Verdict::kSupported) {
    return fmt::format("turns back on itself (least mean cosine {:+.2f})", spirals.interval.mean);
  }
  if (zigzags.verdict == Verdict::kNotSupported && spirals.verdict == Verdict::kNotSupported) {
    return fmt::format(
        "neither zigzags nor spirals: successive updates have a mean cosine of {:+.2f}, and none further apart are "
        "opposed (least mean cosine {:+.2f}); it is a noisy walk with a drift",
        zigzags.interval.mean, least_later);
  }
  return fmt::format(
      "cannot be told by these seeds (mean cosine of successive updates {:+.2f}, least further apart {:+.2f})",
      zigzags.interval.mean, least_later);
}

std::vector<std::string> answer(const std::vector<std::pair<Claim, Evidence>>& claims) {
  const auto judged = judge(claims);
  return {fmt::format("In the second half of training the path with BN {}. The path without BN {}.",
                      shape_in_words(judged[0], judged[1], judged[1].interval.mean),
                      shape_in_words(judged[2], judged[3], judged[3].interval.mean)),
          fmt::format(
              "That with BN the path is more direct is {} (ratio of path length over displacement, with to without: "
              "{:.2f}).",
              to_string(judged[4].verdict), std::exp(judged[4].interval.mean))};
}

/// A value of each path at some places, as curves.
std::vector<BandPoint> curves(const Paths& paths, int64_t first, int64_t last, int64_t every,
                              const std::function<double(const PathGeometry&, int64_t)>& value) {
  std::vector<BandPoint> points;
  for (const auto& [arm, of_arm] : paths) {
    for (int64_t x = first; x <= last; x += every) {
      std::vector<double> values;
      for (const PathGeometry& path : of_arm) {
        const double at = value(path, x);
        if (std::isfinite(at)) values.push_back(at);
      }
      if (!values.empty() && values.size() == of_arm.size()) {
        points.push_back(band_point(arm, static_cast<double>(x), values));
      }
    }
  }
  return points;
}

std::vector<BandPoint> shadow(const Paths& paths) {
  std::vector<BandPoint> points;
  for (const auto& [arm, of_arm] : paths) {
    if (of_arm.empty()) continue;
    const auto places = of_arm.front().projected();
    for (const auto& [x, y] : places) points.push_back({arm, x, y, y, y});
  }
  return points;
}

Findings findings(const Setting& setting, Results& results) {
  const Protocol p = protocol(setting.scale);
  const TrainedArms trained(setting, results, arms());
  Paths paths;
  for (const Arm& arm : arms()) {
    auto& of_arm = paths[arm.name()];
    for (RunReader* run : trained.runs(arm.name())) of_arm.emplace_back(*run);
  }
  const Window window = second_half(p);
  const int64_t every = std::max<int64_t>(1, p.steps / 50), span = std::max<int64_t>(2, p.steps / 20);
  const auto chart = [&](const std::vector<BandPoint>& points, const std::string& x, const std::string& y) {
    return band_chart(points, styles_of(arms()), x, y);
  };
  auto all = claims(trained, paths, p);
  return {
      {{"a", "Do updates agree with those some steps later?",
        fmt::format(
            "Mean cosine of two updates against the number of steps between them ({}). A zigzag begins below zero; a "
            "spiral begins above and swings below; noise around a steady direction stays flat above zero.",
            window.text()),
        chart(curves(paths, 1, most_lag(p), 1,
                     [&](const PathGeometry& path, int64_t lag) {
                       return path.mean_cosine(lag, window.begin, window.end);
                     }),
              "steps between the updates", "mean cosine")},
       {"b", "Along training: the next update, the end, and the detour",
        fmt::format(
            "Left: mean cosine of successive updates over {} steps. Middle: cosine of an update with what is left of "
            "the way to the end. Right: path length over displacement of {} steps; 1 is a straight line, {:.1f} a "
            "random walk.",
            span, span, std::sqrt(static_cast<double>(span))),
        panels(
            {{"with the next update",
              chart(curves(paths, 0, p.steps - span, every,
                           [&](const PathGeometry& path, int64_t t) { return path.mean_cosine(1, t, t + span); }),
                    "training step", "mean cosine")},
             {"with the way that is left", chart(curves(paths, 0, p.steps - 2, every,
                                                        [&](const PathGeometry& path, int64_t t) {
                                                          return t < path.steps() ? path.cosine_to_end(t) : NAN;
                                                        }),
                                                 "training step", "cosine")},
             {"detour", chart(curves(paths, 0, p.steps - span, every,
                                     [&](const PathGeometry& path, int64_t t) { return path.tortuosity(t, t + span); }),
                              "training step", "path length / displacement")}},
            3)},
       {"c", "The path's shadow on its two main directions",
        "Each path (first seed) seen along the two directions in which it extends most; it begins at one end of the "
        "arc. "
        "Such shadows of any long walk are smooth arcs: what to look for is a curl, which a spiral would show.",
        scatter_chart(shadow(paths), styles_of(arms()), "first main direction", "second main direction")}},
      all,
      {},
      have_evidence(all) ? answer(all) : std::vector<std::string>{}};
}

}  // namespace

Experiment open_question_spiral() {
  return {
      "open-question-spiral",
      "Does the path of training spiral?",
      {"M14"},
      "Ours, on the networks of Santurkar et al. 2018",
      "no figure of theirs",
      "If BN smooths the landscape, why does the gradient still swing from step to step: does the path zigzag, turn or "
      "spiral?",
      runs_of(arms()),
      what_was_run,
      findings};
}

}  // namespace bnlab
