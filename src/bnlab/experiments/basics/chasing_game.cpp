// A unit whose inputs move while it learns from them: the reason that Ioffe & Szegedy 2015, section 1, give for BN, in
// the smallest network that has it. Run it: bnlab reproduce --only chasing-game
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bnlab/experiments/basics/basics.h"
#include "bnlab/study/curves.h"
#include "bnlab/study/evidence.h"

namespace bnlab {
namespace {

constexpr char kAnalysis[] = "chasing-game", kAllSteps[] = "all steps";
constexpr double kStandsStill = 1e-9;  // standard deviations: rounding
constexpr double kMostLeft = 0.5;      // share of the loss that could be learned away: what "has learned" means here

struct GameProtocol {
  int64_t points, steps, shown_steps;  ///< by the slider: most of the way is made in the first ones
};

GameProtocol game_protocol(Scale scale) {
  switch (scale) {
    case Scale::kSmoke:
      return {20, 10, 10};
    case Scale::kQuick:
      return {120, 100, 20};
    case Scale::kStandard:
      return {240, 200, 30};
    case Scale::kPaper:
      return {500, 1000, 30};
  }
  throw std::logic_error("no such scale");
}

/// How the layer below behaves.
struct Game {
  Arm arm;
  bool bn, frozen;
};
const Game kNoBn{{{"no BN", colors::kBlue}}, false, false}, kWithBn{{{"BN", colors::kRed}}, true, false},
    kFrozenBelow{{{"layer below frozen", colors::kGold, {6, 4}}}, false, true};
const std::vector<Game> kGames = {kNoBn, kWithBn, kFrozenBelow};

std::vector<Arm> arms() {
  std::vector<Arm> all;
  for (const Game& game : kGames) all.push_back(game.arm);
  return all;
}

Plan plan(const Setting& setting) {
  const GameProtocol p = game_protocol(setting.scale);
  Plan plan(setting);
  for (const int64_t seed : setting.seeds) {
    for (const Game& game : kGames) {
      plan.add(game.arm.name(), seed, fmt::format("chasing game, {}, seed {}", game.arm.name(), seed),
               AnalysisSpec{kAnalysis,
                            {{"bn", game.bn}, {"frozen", game.frozen}, {"points", p.points}, {"steps", p.steps}},
                            {},
                            seed});
    }
  }
  return plan;
}

std::vector<std::string> what_was_run(const Setting& setting) {
  const GameProtocol p = game_protocol(setting.scale);
  return {
      fmt::format("Six numbers go through a linear layer to two, x1 and x2, and these through one linear unit, y = w1 "
                  "x1 + w2 x2 + b, which is to be +1 for one class of points and −1 for the other. {} points, normal "
                  "around a mean that is not 0; the classes lie on two sides of a plane, with some noise. Both layers "
                  "learn by gradient descent at rate 0.03 on the mean squared error over all points, {} steps, {} "
                  "seed{}. A seed draws the points and the weights, which its three networks share.",
                  p.points, p.steps, setting.seeds.size(), setting.seeds.size() == 1 ? "" : "s"),
      "The unit's input (x1, x2) is a point of a plane, all of them are a cloud, and what the unit has learned is a "
      "line, "
      "y = 0. Were the cloud fixed, there would be one best line: the one of the least squared error on it. Where the "
      "layer below learns, too, the cloud moves with every step, and the best line with it. With BN, γ and β learned, "
      "stands between the two layers; once there is none; and once there is none and the layer below is frozen."};
}

PerSeed last(const ArmRuns& runs, const Game& game, const std::string& name) {
  return each(runs, game.arm, [&](RunReader& run) {
    const Series series = run.scalars({kAnalysis, 0, name});
    return series.values.empty() ? NAN : series.values.back();
  });
}

PerSeed over_steps(const ArmRuns& runs, const Game& game, const std::string& name) {
  return each(runs, game.arm, [&](RunReader& run) { return mean_of(run.scalars({kAnalysis, 0, name}).values); });
}

Precondition has_learned(const ArmRuns& runs, const std::vector<Game>& games) {
  Precondition condition{"arms-have-learned", true, ""};
  for (const Game& game : games) {
    double most = 0;
    for (const double left : last(runs, game, "left")) {
      if (!(left <= kMostLeft)) condition.holds = false;
      raise_to(most, left);
    }
    condition.detail += fmt::format("{}\"{}\": of the loss that can be learned away, at most {:.2f} is left",
                                    condition.detail.empty() ? "" : "; ", game.arm.name(), most);
  }
  return condition;
}

using Judged = std::pair<Claim, Evidence>;

/// A quantity is less in `game` than without BN. (With the layer below frozen little can be learned: that it has is no
/// condition.)
Judged less_in(const ArmRuns& runs, const Game& game, const PerSeed& effects, const std::string& id,
               const std::string& sentence, const std::string& quote, const std::string& statistic,
               Rank rank = Rank::kSecondary) {
  return {{id, sentence, quote, statistic, kAllSteps, "log ratio", Side::below(0), {}, rank},
          paired(runs, {game.arm, kNoBn.arm},
                 {has_learned(runs, game.frozen ? std::vector{kNoBn} : std::vector{game, kNoBn})}, effects)};
}

std::vector<Judged> claims(const ArmRuns& runs) {
  const std::string adapt =
      "The change in the distributions of layers' inputs presents a problem because the layers need to continuously "
      "adapt to the new distribution. (Section 1)";
  const std::string ours = "(Ours: no source states it.)";
  const auto ratio = [&](const Game& game, const std::string& name) {
    return log_ratio(over_steps(runs, game, name), over_steps(runs, kNoBn, name));
  };
  return {less_in(runs, kWithBn, log_ratio(last(runs, kWithBn, "travel"), last(runs, kNoBn, "travel")),
                  "bn-shortens-travel",
                  "With BN the cloud of a unit's inputs travels less far while the network learns.", adapt,
                  "ln of the ratio, BN to none, of the way of the cloud's mean, each step in units of the "
                  "cloud's standard deviations before it, summed over the steps",
                  Rank::kPrimary),
          less_in(runs, kWithBn, ratio(kWithBn, "distance"), "bn-closer-to-target",
                  "With BN the unit's line is closer to the best line for the present cloud.", adapt,
                  "ln of the ratio, BN to none, of the root mean square, over the cloud, of the unit's "
                  "output minus that of the best line; mean over the steps",
                  Rank::kPrimary),
          less_in(runs, kWithBn, ratio(kWithBn, "target_move"), "bn-steadies-target",
                  "With BN a step moves the best line less.", adapt,
                  "ln of the ratio, BN to none, of the root mean square, over the present cloud, of the "
                  "best line of the next cloud minus that of the present one; mean over the steps"),
          less_in(runs, kFrozenBelow, ratio(kFrozenBelow, "distance"), "easier-when-frozen",
                  "The line is closer to the best one if the layer below is frozen and the target stands "
                  "still.",
                  ours, "as for BN, of the frozen layer below to the one that learns, both without BN"),
          {{.id = "frozen-stands-still",
            .sentence = "With the layer below frozen the cloud does not travel.",
            .quote = "(By construction: a check of the measure.)",
            .statistic = "way of the cloud's mean as above; the bound is that of rounding",
            .window = kAllSteps,
            .unit = "standard deviations",
            .side = Side::below(kStandsStill),
            .paper_value = {}},
           paired(runs, {kFrozenBelow.arm}, {}, last(runs, kFrozenBelow, "travel"))}};
}

std::vector<std::string> answer(const std::vector<Judged>& all) {
  if (!have_evidence(all)) return {};
  const auto judged = judge(all);
  const auto says = [&](const char* id) {
    const JudgedClaim& claim = find_claim(judged, id);
    return fmt::format("{} ({:.2g} times", to_string(claim.verdict), std::exp(claim.interval.mean));
  };
  return {
      fmt::format("That with BN the cloud of a unit's inputs travels less far is {} the way without BN), that its "
                  "line is closer to the best one {} the distance), and that the best line itself moves less {} the "
                  "movement).",
                  says("bn-shortens-travel"), says("bn-closer-to-target"), says("bn-steadies-target"))};
}

const ArmStyle kPlus{"class +1", colors::kGreen}, kMinus{"class −1", colors::kPurple},
    kUnit{"the unit's line", colors::kInk}, kTarget{"the best line for this cloud", colors::kRed, {6, 4}};

SteppedPanel game_panel(const ArmRuns& runs, const Game& game) {
  constexpr size_t kShown = 60;  // points: as many as can be told apart
  SteppedPanel panel{game.arm.name(), {}};
  if (runs.of(game.arm).empty()) return panel;
  RunReader& run = *runs.of(game.arm).front();
  const auto recorded = [&](const char* name) { return run.arrays({kAnalysis, 0, name}); };
  const auto clouds = recorded("cloud"), lines = recorded("line"), targets = recorded("target");
  if (clouds.empty() || recorded("labels").empty()) return panel;
  const std::vector<double> labels = recorded("labels").front().as_doubles();
  const int64_t shown_steps = game_protocol(runs.setting().scale).shown_steps;
  for (size_t i = 0; i < clouds.size() && clouds[i].step <= shown_steps; ++i) {
    SteppedFrame& frame = panel.frames.emplace_back(SteppedFrame{clouds[i].step, {}, {}});
    const std::vector<double> cloud = clouds[i].as_doubles();
    for (size_t k = 0; k < std::min(kShown, labels.size()); ++k) {
      frame.points.push_back({labels[k] > 0 ? kPlus.arm : kMinus.arm, cloud.at(2 * k), cloud.at(2 * k + 1)});
    }
    for (const auto& [style, record] : {std::pair{kUnit, &lines.at(i)}, std::pair{kTarget, &targets.at(i)}}) {
      const std::vector<double> w = record->as_doubles();
      frame.lines.push_back({style.arm, w.at(0), w.at(1), w.at(2)});
    }
  }
  return panel;
}

Figure game_figure(const ArmRuns& runs) {
  std::vector<SteppedPanel> shown;
  for (const Game& game : {kNoBn, kWithBn}) shown.push_back(game_panel(runs, game));
  return {
      "a", "The chase",
      fmt::format(
          "The plane of a unit's two inputs in the first {} steps, first seed, on the same axes without BN and with; "
          "move the slider to go through training. Coloured dots are the inputs at that step, by class; the solid "
          "line is where the unit changes its answer, the dashed one where it would, were it the best for this "
          "cloud. Grey: where the cloud began, and the path of its middle. How far does the cloud leave its place, "
          "and does the solid line keep up with the dashed one?",
          game_protocol(runs.setting().scale).shown_steps),
      stepped_chart(shown, {kPlus, kMinus, kUnit, kTarget}, "x1", "x2", 2)};
}

Figure curve_figure(const ArmRuns& runs, const std::string& id, const std::string& name, const std::string& title,
                    const std::string& caption, const std::string& y_title) {
  return {id, title, caption + " Line: mean over seeds, band: lowest to highest.",
          band_chart(curves(runs, arms(), {kAnalysis, 0, name}), styles_of(arms()), "training step", y_title)};
}

Findings findings(const Setting& setting, Results& results) {
  const ArmRuns runs(setting, results);
  const std::vector<Judged> all = claims(runs);
  return {{game_figure(runs),
           curve_figure(runs, "b", "travel", "How far the cloud has travelled",
                        "The way of the cloud's middle since the start, in standard deviations of the cloud. At 1 it "
                        "has gone as far as the cloud is wide.",
                        "way (standard deviations)"),
           curve_figure(runs, "c", "distance", "How far the line is from the best one",
                        "Root mean square, over the cloud, of what the unit answers minus what the best line for this "
                        "cloud would; classes are +1 and −1. Compare the line that chases (blue) with the one whose "
                        "inputs stand still (dashed), and with BN (red).",
                        "distance to the best line"),
           curve_figure(runs, "d", "left", "What is left to learn",
                        "Squared error above that of the best plane for the six numbers, as a share of what it was at "
                        "the start. A layer below that is frozen cannot reach 0.",
                        "share of the error that is left")},
          all,
          {},
          answer(all)};
}

}  // namespace

Experiment chasing_game() {
  return {
      "chasing-game",
      "A game of chase",
      {"M6"},
      "Ioffe & Szegedy 2015, Batch Normalization (arXiv 1502.03167)",
      "section 1; no figure",
      "Where the layer below learns, too, how far do a unit's inputs move under it, and does BN keep them in place?",
      plan,
      what_was_run,
      findings,
      {.chapter = Chapter::kWhy,
       .plainly =
           "A unit learns to part two classes of points by a line, while the layer below, which learns as well, "
           "moves the points. Use the slider: how far does the cloud travel without BN and with it, and does the "
           "line keep up with the best one?"}};
}

}  // namespace bnlab
