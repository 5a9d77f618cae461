#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "bnlab/experiments/ours/ours.h"
#include "bnlab/experiments/ours/path_geometry.h"
#include "bnlab/experiments/santurkar/vgg.h"
#include "bnlab/record/number_text.h"
#include "bnlab/study/curves.h"
#include "bnlab/study/evidence.h"

namespace bnlab {
namespace {

using namespace santurkar;

const Arm kPlain = plain(0.1), kBn = bn(0.1);
const std::vector<Arm> kArms = {kPlain, kBn};

// Written down before measuring. Updates zigzag if successive ones point against each other, and the path spirals if
// updates some steps apart do, while neighbours agree. 0.1 is our bound for "at all": the cosine of two directions that
// have nothing to do with each other is below 0.03 in size here (1/sqrt of the sketch's 2,048 sums).
constexpr double kAtAll = 0.1;
constexpr int64_t kMostLag = 50;

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

/// The paths of an arm's runs, by the arm's name.
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

/// A number of each path of an arm.
PerSeed of_paths(const Paths& paths, const Arm& arm, const std::function<double(const PathGeometry&)>& number) {
  PerSeed numbers;
  for (const PathGeometry& path : paths.at(arm.name())) numbers.push_back(number(path));
  return numbers;
}

const char* const kQuote = "(Ours: the open question of the note that this project began with.)";

std::vector<std::pair<Claim, Evidence>> shape_claims(const ArmRuns& runs, const Paths& paths, const Protocol& p,
                                                     const Arm& arm, const std::string& id, Rank rank) {
  const Window window = second_half(p);
  const Precondition has_learned = learned(runs, {arm}, window);
  return {
      {{.id = "zigzags-" + id,
        .sentence = fmt::format("The path of \"{}\" zigzags: an update points against the one before.", arm.name()),
        .quote = kQuote,
        .statistic = "mean cosine of successive updates over the window",
        .window = window.text(),
        .unit = "cosine",
        .side = Side::below(-kAtAll),
        .paper_value = {},
        .rank = rank},
       paired(runs, {arm}, {has_learned},
              of_paths(paths, arm,
                       [&](const PathGeometry& path) { return path.mean_cosine(1, window.begin, window.end); }))},
      {{.id = "spirals-" + id,
        .sentence =
            fmt::format("The path of \"{}\" spirals: updates some steps apart point against each other.", arm.name()),
        .quote = kQuote,
        .statistic = fmt::format("least, over lags 2 to {}, of the mean cosine of updates that far apart", most_lag(p)),
        .window = window.text(),
        .unit = "cosine",
        .side = Side::below(-kAtAll),
        .paper_value = {},
        .rank = rank},
       paired(runs, {arm}, {has_learned},
              of_paths(paths, arm, [&](const PathGeometry& path) { return least_later_cosine(path, p, window); }))}};
}

std::pair<Claim, Evidence> directness_claim(const ArmRuns& runs, const Paths& paths, const Window& window) {
  const auto tortuosity = [&](const Arm& arm) {
    return of_paths(paths, arm, [&](const PathGeometry& path) { return path.tortuosity(window.begin, window.end); });
  };
  return {{.id = "bn-more-direct",
           .sentence = "With BN the path is more direct: shorter for the way that it makes.",
           .quote = kQuote,
           .statistic = "ln of the ratio, with BN to without, of path length over displacement in the window",
           .window = window.text(),
           .unit = "log ratio",
           .side = Side::below(0),
           .paper_value = {},
           .rank = Rank::kPrimary},
          paired(runs, {kBn, kPlain}, {learned(runs, {kBn, kPlain}, window)},
                 log_ratio(tortuosity(kBn), tortuosity(kPlain)))};
}

std::vector<std::pair<Claim, Evidence>> claims(const ArmRuns& runs, const Paths& paths, const Protocol& p) {
  auto all = shape_claims(runs, paths, p, kBn, "bn", Rank::kPrimary);
  for (auto& claim : shape_claims(runs, paths, p, kPlain, "plain", Rank::kSecondary)) all.push_back(std::move(claim));
  all.push_back(directness_claim(runs, paths, second_half(p)));
  return all;
}

std::string shape_in_words(const JudgedClaim& zigzags, const JudgedClaim& spirals) {
  const std::string next = signed_text(zigzags.interval.mean, 2), later = signed_text(spirals.interval.mean, 2);
  if (zigzags.verdict == Verdict::kSupported) {
    return fmt::format("zigzags (cosine of successive updates {})", next);
  }
  if (spirals.verdict == Verdict::kSupported) {
    return fmt::format("turns back on itself (least mean cosine {})", later);
  }
  if (zigzags.verdict == Verdict::kNotSupported && spirals.verdict == Verdict::kNotSupported) {
    return fmt::format(
        "neither zigzags nor spirals: successive updates have a mean cosine of {}, and none further apart are "
        "opposed (least mean cosine {}); it is a noisy walk with a drift",
        next, later);
  }
  return fmt::format("cannot be told by these seeds (mean cosine of successive updates {}, least further apart {})",
                     next, later);
}

std::vector<std::string> answer(const std::vector<std::pair<Claim, Evidence>>& claims) {
  if (!have_evidence(claims)) return {};
  const auto judged = judge(claims);
  const auto shape = [&](const std::string& id) {
    return shape_in_words(find_claim(judged, "zigzags-" + id), find_claim(judged, "spirals-" + id));
  };
  const JudgedClaim& direct = find_claim(judged, "bn-more-direct");
  return {fmt::format("In the second half of training the path with BN {}. The path without BN {}.", shape("bn"),
                      shape("plain")),
          fmt::format("That with BN the path is more direct is {} (ratio of path length over displacement, with to "
                      "without: {:.2f}).",
                      to_string(direct.verdict), std::exp(direct.interval.mean))};
}

/// A value of each path at some places, as curves.
std::vector<BandPoint> path_curves(const Paths& paths, int64_t first, int64_t last, int64_t every,
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
  const ArmRuns runs(setting, results);
  Paths paths;
  for (const Arm& arm : kArms) {
    auto& of_arm = paths[arm.name()];
    for (RunReader* run : runs.of(arm)) of_arm.emplace_back(*run);
  }
  const Window window = second_half(p);
  const int64_t every = std::max<int64_t>(1, p.steps / 50), span = std::max<int64_t>(2, p.steps / 20);
  const auto chart = [&](const std::vector<BandPoint>& points, const std::string& x, const std::string& y) {
    return band_chart(points, styles_of(kArms), x, y);
  };
  const auto all = claims(runs, paths, p);
  return {
      {{"a", "Do updates agree with those some steps later?",
        fmt::format(
            "Mean cosine of two updates against the number of steps between them ({}). A zigzag begins below zero; a "
            "spiral begins above and swings below; noise around a steady direction stays flat above zero.",
            window.text()),
        chart(path_curves(paths, 1, most_lag(p), 1,
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
        panels({{"with the next update", chart(path_curves(paths, 0, p.steps - span, every,
                                                           [&](const PathGeometry& path, int64_t t) {
                                                             return path.mean_cosine(1, t, t + span);
                                                           }),
                                               "training step", "mean cosine")},
                {"with the way that is left", chart(path_curves(paths, 0, p.steps - 2, every,
                                                                [&](const PathGeometry& path, int64_t t) {
                                                                  return t < path.steps() ? path.cosine_to_end(t) : NAN;
                                                                }),
                                                    "training step", "cosine")},
                {"detour",
                 chart(path_curves(paths, 0, p.steps - span, every,
                                   [&](const PathGeometry& path, int64_t t) { return path.tortuosity(t, t + span); }),
                       "training step", "path length / displacement")}},
               3)},
       {"c", "The path's shadow on its two main directions",
        "Each path (first seed) seen along the two directions in which it extends most; it begins at one end of the "
        "arc. "
        "Such shadows of any long walk are smooth arcs: what to look for is a curl, which a spiral would show.",
        scatter_chart(shadow(paths), styles_of(kArms), "first main direction", "second main direction")}},
      all,
      {},
      answer(all)};
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
      runs_of(kArms),
      what_was_run,
      findings,
      {.chapter = Chapter::kQuestions,
       .plainly = "If BN smooths the landscape, training should walk straight on. Compared are the directions of "
                  "steps near to each other: above zero they agree, below zero the path swings back."}};
}

}  // namespace bnlab
