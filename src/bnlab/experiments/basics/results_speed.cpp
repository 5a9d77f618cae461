// How many steps BN saves: Ioffe & Szegedy 2015, section 4.2. Run it: bnlab reproduce --only results-speed
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "bnlab/experiments/basics/basics.h"
#include "bnlab/experiments/basics/results.h"
#include "bnlab/study/curves.h"
#include "bnlab/study/evidence.h"

namespace bnlab {
namespace {

using namespace results;
using Claims = std::vector<std::pair<Claim, Evidence>>;

// The paper's Fig. 3: steps in which Inception and its variants reach 72.2 % on the validation images.
constexpr double kInceptionSteps = 31.0e6, kBnBaselineSteps = 13.3e6, kBnX5Steps = 2.1e6;

/// Losses are averaged over so many steps: one batch's loss says little.
size_t averaged_steps(const Setting& setting) {
  return static_cast<size_t>(std::max<int64_t>(2, grid_size(setting.scale).steps / 15));
}

/// A kind at a rate that may differ from seed to seed. Everything is empty while runs are missing.
struct Contestant {
  ArmStyle style;
  PerSeed rates = {};
  std::vector<Path> paths = {};            ///< one a seed: the averaged training loss, and the steps made
  PerSeed accuracy = {}, final_loss = {};  ///< of training, mean over the last quarter of the steps
};

Contestant contestant(const ArmRuns& runs, const ArmStyle& style, const Kind& kind, const std::vector<size_t>& rates) {
  Contestant it{style};
  const Window window = last_quarter(grid_size(runs.setting().scale));
  for (size_t seed = 0; seed < rates.size(); ++seed) {
    const double rate = kRates[rates[seed]];
    const Arm at_rate = arm(kind, rate);
    if (!runs.complete(at_rate)) return {style};
    RunReader& run = *runs.of(at_rate)[seed];
    const std::vector<double> losses = training_loss(run, runs.classes());
    Path path{smoothed(losses, averaged_steps(runs.setting())), {}};
    for (size_t step = 0; step < path.losses.size(); ++step) path.values.push_back(static_cast<double>(step + 1));
    it.rates.push_back(rate);
    it.paths.push_back(path);
    it.accuracy.push_back(mean_over(training_accuracy(run, runs.classes()), window));
    it.final_loss.push_back(mean_over(losses, window));
  }
  return it;
}

struct Contest {
  Contestant plain, same, higher, best;
  std::vector<const Contestant*> all() const { return {&plain, &same, &higher, &best}; }
};

Contest contest(const ArmRuns& runs) {
  const std::vector<size_t> without = best_rates(runs, kPlain), with = best_rates(runs, kBn);
  std::vector<size_t> higher;
  for (const size_t rate : without) higher.push_back(std::min(rate + 1, kRates.size() - 1));
  return {contestant(runs, {"no BN, its best rate", kPlain.color}, kPlain, without),
          contestant(runs, {"BN, the same rate", colors::kGold}, kBn, without),
          contestant(runs, {"BN, three times that rate", colors::kPurple}, kBn, higher),
          contestant(runs, {"BN, its best rate", kBn.color, {6, 4}}, kBn, with)};
}

/// Seed by seed, ln of the ratio of the steps in which two get down to the loss at which the worse one ends.
PerSeed log_steps(const Contestant& one, const Contestant& other) {
  PerSeed ratios;
  for (size_t seed = 0; seed < std::min(one.paths.size(), other.paths.size()); ++seed) {
    const double loss = std::max(one.final_loss[seed], other.final_loss[seed]);
    ratios.push_back(std::log(value_at(one.paths[seed], loss) / value_at(other.paths[seed], loss)));
  }
  return ratios;
}

Evidence evidence(const ArmRuns& runs, const Contestant& one, const Contestant& other, const PerSeed& effects) {
  std::vector<Arm> all = arms(kBn);
  for (const Arm& arm : arms(kPlain)) all.push_back(arm);
  return paired(runs, all,
                {have_learned("arms-have-learned", {{one.style.arm, one.accuracy}, {other.style.arm, other.accuracy}},
                              runs.classes())},
                effects);
}

std::pair<Claim, Evidence> steps_claim(const ArmRuns& runs, const Contestant& one, const Contestant& other,
                                       const std::string& id, const std::string& sentence, const std::string& quote,
                                       std::optional<double> paper_value) {
  return {{.id = id,
           .sentence = sentence,
           .quote = quote,
           .statistic = fmt::format(
               "ln of the ratio, \"{}\" to \"{}\", of the steps after which the training loss, averaged over {} steps, "
               "first comes down to the loss at which the worse one ends, its mean over the last quarter of the steps; "
               "best rate: by that mean on the other seeds",
               one.style.arm, other.style.arm, averaged_steps(runs.setting())),
           .window = "all of training",
           .unit = "log ratio",
           .side = Side::below(0),
           .paper_value = paper_value,
           .rank = Rank::kPrimary},
          evidence(runs, one, other, log_steps(one, other))};
}

Claims claims(const ArmRuns& runs, const Contest& it) {
  Claims all = {
      steps_claim(runs, it.same, it.plain, "fewer-steps-same-rate",
                  "At the learning rate that is best without BN, the network with BN reaches the same loss in fewer "
                  "steps.",
                  "By only using Batch Normalization (BN-Baseline), we match the accuracy of Inception in less than "
                  "half the number of training steps. (Section 4.2.2)",
                  std::log(kBnBaselineSteps / kInceptionSteps)),
      steps_claim(runs, it.best, it.plain, "fewer-steps-best-rates",
                  "Each at its best learning rate, the network with BN reaches the same loss in fewer steps.",
                  "Applied to a state-of-the-art image classification model, Batch Normalization achieves the same "
                  "accuracy with 14 times fewer training steps (Abstract)",
                  std::log(kBnX5Steps / kInceptionSteps)),
      steps_claim(runs, it.higher, it.same, "higher-rate-speeds-bn-up",
                  "With BN, about three times the rate that is best without it saves further steps.",
                  "In a batch-normalized model, we have been able to achieve a training speedup from higher learning "
                  "rates, with no ill side effects (Section 4.2.1; its reference left out)",
                  {})};
  const Window window = last_quarter(grid_size(runs.setting().scale));
  all.push_back({{.id = "lower-loss-best-rates",
                  .sentence = "After the same number of steps, each at its best learning rate, the loss is lower with "
                              "BN.",
                  .quote = "(Ours, of the training loss; the paper compares accuracies on validation images.)",
                  .statistic = "ln of the ratio, with BN to without, of the mean training loss over the window",
                  .window = window.text(),
                  .unit = "log ratio",
                  .side = Side::below(0),
                  .paper_value = {}},
                 evidence(runs, it.best, it.plain, log_ratio(it.best.final_loss, it.plain.final_loss))});
  return all;
}

std::vector<ArmStyle> styles(const Contest& it) {
  std::vector<ArmStyle> all;
  for (const Contestant* one : it.all()) all.push_back(one->style);
  return all;
}

Figure loss_figure(const Setting& setting, const Contest& it) {
  std::vector<BandPoint> points;
  const size_t steps = static_cast<size_t>(grid_size(setting.scale).steps), every = std::max<size_t>(1, steps / 100);
  for (const Contestant* one : it.all()) {
    for (size_t step = 0; step < steps && !one->paths.empty(); step += every) {
      std::vector<double> losses;
      for (const Path& path : one->paths) losses.push_back(path.losses.at(step));
      points.push_back(band_point(one->style.arm, static_cast<double>(step), losses));
    }
  }
  return {"a", "The loss while training",
          fmt::format("Cross-entropy of the batches, average over the last {} steps; logarithmic. Line: mean over "
                      "seeds, band: lowest to highest. Choose a loss on the left and go to the right: the first line "
                      "that you meet got there in the fewest steps.",
                      averaged_steps(setting)),
          band_chart(points, styles(it), "training step", "training loss (nats)", {.log_y = true})};
}

/// Core-seconds that a step of this kind costs here, mean over all its runs that did not diverge; NaN for none.
double seconds_a_step(const ArmRuns& runs, const Kind& kind) {
  std::vector<double> costs;
  for (const Arm& arm : arms(kind)) {
    for (RunReader* run : runs.of(arm)) {
      if (run->diverged_at() >= 0) continue;
      costs.push_back(run->cpu_seconds().value_or(NAN) / static_cast<double>(grid_size(runs.setting().scale).steps));
    }
  }
  return mean_of(costs);
}

Figure steps_figure(const ArmRuns& runs, const Contest& it) {
  std::vector<BandPoint> in_steps, in_seconds;
  for (const Contestant* one : it.all()) {
    const double cost = seconds_a_step(runs, one == &it.plain ? kPlain : kBn);
    for (const BandPoint& point : by_loss(one->style.arm, one->paths)) {
      in_steps.push_back(point);
      in_seconds.push_back({point.arm, point.x, cost * point.mean, cost * point.low, cost * point.high});
    }
  }
  const auto chart = [&](const std::vector<BandPoint>& points, const std::string& title) {
    return band_chart(points, styles(it), "training loss reached (nats, logarithmic)", title,
                      {.log_x = true, .log_y = true});
  };
  return {"b", "What it takes to reach a loss",
          "Read from right (the loss at the start) to left (the lowest reached in all seeds). Left: steps; the "
          "distance between two lines is the factor that BN saves, and the paper's factor is 14. Right: the same in "
          "seconds of one core of this machine: a step with BN costs more, so that the lines move together. Line: "
          "mean over seeds, band: lowest to highest.",
          panels({{"in steps", chart(in_steps, "steps")}, {"in time", chart(in_seconds, "core-seconds")}}, 2)};
}

Figure rates_figure(const ArmRuns& runs, const Contest& it) {
  double loss = 0;  // at which the worst of them ends
  for (const Contestant* one : it.all()) {
    for (const double final_loss : one->final_loss) loss = std::max(loss, final_loss);
  }
  std::vector<BandPoint> points;
  const std::vector<ArmStyle> kinds = {{kBn.name, kBn.color}, {kPlain.name, kPlain.color}};
  for (const Kind& kind : {kBn, kPlain}) {
    for (size_t rate = 0; rate < kRates.size() && !it.plain.paths.empty(); ++rate) {
      const std::vector<size_t> everywhere(runs.setting().seeds.size(), rate);
      std::vector<double> steps;
      for (const Path& path : contestant(runs, {}, kind, everywhere).paths) steps.push_back(value_at(path, loss));
      const bool all = std::all_of(steps.begin(), steps.end(), [](double value) { return std::isfinite(value); });
      if (all && !steps.empty()) points.push_back(band_point(kind.name, kRates[rate], steps));
    }
  }
  return {
      "c", "Steps to the same loss, by learning rate",
      fmt::format("Steps until the averaged training loss is at {:.2f}, where the worst of the networks above ends, at "
                  "every rate of the grid. A rate has a point if every seed gets there. The lowest point of "
                  "each line is its best rate: is that of BN (red) lower, and is it farther to the right?",
                  loss),
      band_chart(points, kinds, "learning rate (logarithmic)", "steps",
                 {.points = true, .log_x = true, .log_y = true})};
}

std::string rates_of(const Contestant& it) {
  const std::set<double> rates(it.rates.begin(), it.rates.end());
  return fmt::format("{}", fmt::join(rates, " or "));
}

/// "3.1 times fewer", or "1.2 times more".
std::string times_fewer(const JudgedClaim& claim) {
  const double ratio = std::exp(claim.interval.mean);
  return ratio < 1 ? fmt::format("{:.1f} times fewer", 1 / ratio) : fmt::format("{:.1f} times more", ratio);
}

std::vector<std::string> answer(const ArmRuns& runs, const Contest& it, const Claims& all) {
  if (!have_evidence(all)) return {};
  const auto judged = judge(all);
  const JudgedClaim &same = find_claim(judged, "fewer-steps-same-rate"),
                    &best = find_claim(judged, "fewer-steps-best-rates");
  const double cost = seconds_a_step(runs, kBn) / seconds_a_step(runs, kPlain);
  return {
      fmt::format(
          "To the loss at which the worse of the two ends, BN needs {} steps at the rate that is best without it ({}): "
          "that these are fewer is {}. With each at its best rate ({} without, {} with BN) it needs {}: {}.",
          times_fewer(same), rates_of(it.plain), to_string(same.verdict), rates_of(it.plain), rates_of(it.best),
          times_fewer(best), to_string(best.verdict)),
      fmt::format(
          "A step with BN costs {:.2f} times as much processor time here as one without, so that a gain in steps "
          "is a smaller gain in time: at the best rates a factor of {:.2f} in steps is one of {:.2f} in time.",
          cost, std::exp(-best.interval.mean), std::exp(-best.interval.mean) / cost)};
}

std::vector<PaperNumber> paper_numbers(const ArmRuns& runs, const Claims& all) {
  if (!have_evidence(all)) return {};
  const auto ratio = [&](size_t claim) {
    PerSeed fewer = all[claim].second.per_seed;
    for (double& value : fewer) value = std::exp(-value);
    return mean_and_interval(fewer, 2);
  };
  const std::string note = fmt::format(
      "The paper: Inception on ImageNet, to an accuracy of 72.2 % on validation images, after 31 million steps without "
      "BN; here a training loss, {} at scale {}.",
      runs.setting().data.title, to_string(runs.setting().scale));
  return {{"steps without BN / with BN, same rate", fmt::format("{:.1f}", kInceptionSteps / kBnBaselineSteps), ratio(0),
           note},
          {"steps without BN / with BN, best rates", "14", ratio(1), note},
          {"core time of a step with BN / without", "–",
           fmt::format("{:.2f}", seconds_a_step(runs, kBn) / seconds_a_step(runs, kPlain)),
           "On this machine, start included; the paper gives none."}};
}

Findings findings(const Setting& setting, Results& results) {
  const ArmRuns runs(setting, results);
  const Contest it = contest(runs);
  const Claims all = claims(runs, it);
  return {{loss_figure(setting, it), steps_figure(runs, it), rates_figure(runs, it)},
          all,
          paper_numbers(runs, all),
          answer(runs, it, all)};
}

}  // namespace

Experiment results_speed() {
  return {
      "results-speed",
      "Fewer training steps",
      {"M8"},
      "Ioffe & Szegedy 2015, Batch Normalization (arXiv 1502.03167)",
      "Fig. 2 and 3 (theirs: Inception on ImageNet)",
      "How many steps, and how much time, does BN save on the way to the same loss?",
      grid_plan,
      [](const Setting& setting) -> std::vector<std::string> {
        return {what_grid_was_trained(setting),
                "The best rate of a network is the one with the lowest loss over the last quarter of the steps on the "
                "other seeds, so that no seed is judged at a rate that it chose itself. The paper compares accuracies "
                "on validation images and raised the rate by hand; besides, its fast variants have no dropout, less "
                "weight decay, a faster decay of the rate and other images. Here only BN and the rate differ."};
      },
      findings,
      {.chapter = Chapter::kResults,
       .plainly = "The same network learns the same images without BN and with it: at the learning rate that suits the "
                  "network without BN, and at the one that suits BN. The sooner a curve comes down, the fewer steps it "
                  "took.",
       .headline = "fewer-steps-best-rates",
       .in_short = "With BN a network gets to the same loss in fewer steps, each at its best learning rate."}};
}

}  // namespace bnlab
