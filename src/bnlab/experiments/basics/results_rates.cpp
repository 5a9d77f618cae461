// How high a learning rate BN allows: Ioffe & Szegedy 2015, section 3.3. Run it: bnlab reproduce --only results-rates
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "bnlab/experiments/basics/basics.h"
#include "bnlab/experiments/basics/results.h"
#include "bnlab/study/curves.h"
#include "bnlab/study/evidence.h"

namespace bnlab {
namespace {

using namespace results;
using Claims = std::vector<std::pair<Claim, Evidence>>;

constexpr double kNear = 0.05;     // of training accuracy: what still counts as about as good as the best rate; ours
constexpr size_t kMuchHigher = 2;  // places in the grid: about ten times the rate

/// For each rate, one accuracy a seed.
std::vector<PerSeed> accuracies(const ArmRuns& runs, const Kind& kind) {
  const Window window = last_quarter(grid_size(runs.setting().scale));
  std::vector<PerSeed> all;
  for (const Arm& arm : arms(kind)) all.push_back(accuracy(runs, arm, window));
  return all;
}

/// A seed's accuracies in the order of the rates, for every seed that has all its runs.
std::vector<std::vector<double>> by_seed(const ArmRuns& runs, const Kind& kind) {
  const std::vector<PerSeed> by_rate = accuracies(runs, kind);
  std::vector<std::vector<double>> seeds;
  for (size_t seed = 0; seed < runs.setting().seeds.size(); ++seed) {
    seeds.emplace_back();
    for (const PerSeed& values : by_rate) {
      if (values.size() != runs.setting().seeds.size()) return {};
      seeds.back().push_back(values[seed]);
    }
  }
  return seeds;
}

/// The lowest or the highest rate whose accuracy is at least `least`; NaN for none.
double lowest_rate(const std::vector<double>& of_rates, double least) {
  for (size_t i = 0; i < of_rates.size(); ++i) {
    if (of_rates[i] >= least) return kRates[i];
  }
  return NAN;
}
double highest_rate(const std::vector<double>& of_rates, double least) {
  for (size_t i = of_rates.size(); i-- > 0;) {
    if (of_rates[i] >= least) return kRates[i];
  }
  return NAN;
}

double best_of(const std::vector<double>& of_rates) {
  return *std::max_element(of_rates.begin(), of_rates.end());
}

PerSeed per_seed(const ArmRuns& runs, const Kind& kind,
                 const std::function<double(const std::vector<double>& of_rates)>& number) {
  PerSeed numbers;
  for (const auto& of_rates : by_seed(runs, kind)) numbers.push_back(number(of_rates));
  return numbers;
}

PerSeed highest_that_learns(const ArmRuns& runs, const Kind& kind) {
  const double least = 1 / static_cast<double>(runs.classes()) + kLearnedMargin;
  return per_seed(runs, kind, [&](const auto& of_rates) { return highest_rate(of_rates, least); });
}

PerSeed best_rate(const ArmRuns& runs, const Kind& kind) {
  return per_seed(runs, kind, [](const auto& of_rates) { return lowest_rate(of_rates, best_of(of_rates)); });
}

/// How many times the lowest of the rates that are about as good as the best one goes into the highest.
PerSeed width_of_good_rates(const ArmRuns& runs, const Kind& kind) {
  return per_seed(runs, kind, [](const auto& of_rates) {
    const double least = best_of(of_rates) - kNear;
    return highest_rate(of_rates, least) / lowest_rate(of_rates, least);
  });
}

/// Both kinds have learned, each at its best rate.
Precondition learned_at_best(const ArmRuns& runs) {
  return have_learned("arms-have-learned",
                      {{kBn.name + ", best rate", per_seed(runs, kBn, best_of)},
                       {kPlain.name + ", best rate", per_seed(runs, kPlain, best_of)}},
                      runs.classes());
}

std::vector<Arm> all_arms() {
  std::vector<Arm> all = arms(kBn);
  for (const Arm& arm : arms(kPlain)) all.push_back(arm);
  return all;
}

/// A claim on the ratio of some rate with BN to the same without.
std::pair<Claim, Evidence> ratio_claim(const ArmRuns& runs, const Claim& said,
                                       const std::function<PerSeed(const ArmRuns& runs, const Kind& kind)>& number) {
  Claim claim = said;
  claim.window = last_quarter(grid_size(runs.setting().scale)).text();
  claim.unit = "log ratio";
  claim.side = Side::above(0);
  return {claim, paired(runs, all_arms(), {learned_at_best(runs)}, log_ratio(number(runs, kBn), number(runs, kPlain)))};
}

/// BN against none at about ten times the rate that is best without BN, which the other seeds choose.
std::pair<Claim, Evidence> much_higher_claim(const ArmRuns& runs) {
  const std::vector<size_t> best = best_rates(runs, kPlain);
  const auto with = by_seed(runs, kBn), without = by_seed(runs, kPlain);
  PerSeed bn, plain;
  for (size_t seed = 0; seed < std::min({best.size(), with.size(), without.size()}); ++seed) {
    const size_t rate = std::min(best[seed] + kMuchHigher, kRates.size() - 1);
    bn.push_back(with[seed][rate]);
    plain.push_back(without[seed][rate]);
  }
  return {
      {.id = "better-at-ten-times",
       .sentence = "At about ten times the rate that is best without BN, the network with BN learns better than "
                   "the one without.",
       .quote = "The initial learning rate was increased by a factor of 5, to 0.0075. The same learning rate "
                "increase with original Inception caused the model parameters to reach machine infinity. (Section "
                "4.2.2; of 30 times the rate it says that it reaches the highest accuracy; paraphrased.)",
       .statistic = fmt::format("mean training accuracy over the window, with BN minus without, {} places of the "
                                "grid above the rate that is best without BN on the other seeds",
                                kMuchHigher),
       .window = last_quarter(grid_size(runs.setting().scale)).text(),
       .unit = "percentage points",
       .side = Side::above(0),
       .paper_value = {},
       .rank = Rank::kPrimary},
      paired(runs, all_arms(), {have_learned("arms-have-learned", {{kBn.name + " at that rate", bn}}, runs.classes())},
             points_between(bn, plain))};
}

Claims claims(const ArmRuns& runs) {
  return {
      ratio_claim(runs,
                  {.id = "higher-rates-learn",
                   .sentence = "With BN the network still learns at higher learning rates than without.",
                   .quote = "Batch Normalization also makes training more resilient to the parameter scale. Normally, "
                            "large learning rates may increase the scale of layer parameters, which then amplify the "
                            "gradient during backpropagation and lead to the model explosion. However, with Batch "
                            "Normalization, backpropagation through a layer is unaffected by the scale of its "
                            "parameters. (Section 3.3)",
                   .statistic = fmt::format(
                       "ln of the ratio, with BN to without, of the highest rate of the grid at which training "
                       "accuracy is above chance by {} points or more over the window; a run that diverges guesses. "
                       "The grid resolves a factor of about three; where its highest rate still learns, the ratio is "
                       "at least this",
                       100 * kLearnedMargin),
                   .window = "",
                   .unit = "",
                   .side = {},
                   .paper_value = {},
                   .rank = Rank::kPrimary},
                  highest_that_learns),
      ratio_claim(runs,
                  {.id = "best-rate-is-higher",
                   .sentence = "The learning rate that is best is higher with BN than without.",
                   .quote = "In a batch-normalized model, we have been able to achieve a training speedup from higher "
                            "learning rates, with no ill side effects (Section 4.2.1; its reference left out)",
                   .statistic = "ln of the ratio, with BN to without, of the rate at which training accuracy over the "
                                "window is highest",
                   .window = "",
                   .unit = "",
                   .side = {},
                   .paper_value = {},
                   .rank = Rank::kPrimary},
                  best_rate),
      much_higher_claim(runs),
      ratio_claim(runs,
                  {.id = "rate-matters-less",
                   .sentence = "With BN a wider range of learning rates does about as well as the best one.",
                   .quote = "(Santurkar et al. 2018, section 2: BatchNorm makes training less sensitive to the choice "
                            "of hyperparameters; paraphrased.)",
                   .statistic = fmt::format("ln of the ratio, with BN to without, of highest / lowest rate whose "
                                            "training accuracy over the window is within {} points of the best "
                                            "rate's; the bound is ours",
                                            100 * kNear),
                   .window = "",
                   .unit = "",
                   .side = {},
                   .paper_value = {}},
                  width_of_good_rates)};
}

const std::vector<ArmStyle> kStyles = {{kBn.name, kBn.color}, {kPlain.name, kPlain.color}};

Figure rates_figure(const ArmRuns& runs) {
  std::vector<BandPoint> points;
  for (const Kind& kind : {kBn, kPlain}) {
    const std::vector<PerSeed> by_rate = accuracies(runs, kind);
    for (size_t i = 0; i < kRates.size(); ++i) {
      PerSeed values = by_rate[i];
      for (double& value : values) value *= 100;
      if (!values.empty()) points.push_back(band_point(kind.name, kRates[i], values));
    }
  }
  return {"a", "How well a network learns, by learning rate",
          fmt::format("Training accuracy over the last quarter of the steps; line: mean over seeds, band: lowest to "
                      "highest. Follow each line to the right: up to which rate does it stay up, and where does it "
                      "fall to {} %, which is guessing? A run whose loss explodes counts as guessing.",
                      100 / runs.classes()),
          band_chart(points, kStyles, "learning rate (logarithmic)", "training accuracy (%)",
                     {.points = true, .log_x = true})};
}

Figure highest_figure(const ArmRuns& runs) {
  std::vector<SeedValue> values;
  const auto add = [&](const std::string& category, const auto& number) {
    for (const Kind& kind : {kBn, kPlain}) {
      const PerSeed rates = number(runs, kind);
      for (size_t i = 0; i < rates.size(); ++i) {
        values.push_back({category, kind.name, runs.setting().seeds[i], rates[i]});
      }
    }
  };
  add("highest that learns", highest_that_learns);
  add("best", best_rate);
  return {"b", "The highest rate that still learns, and the best one",
          fmt::format("A point a seed, with the mean and its 95 % interval. Only the rates {} were tried, so that "
                      "points lie on these; at the highest of them, read \"at least\".",
                      fmt::join(kRates, ", ")),
          strip_chart(values, kStyles, "", "learning rate (logarithmic)", {.log = true})};
}

Figure curves_figure(const ArmRuns& runs) {
  const int64_t steps = grid_size(runs.setting().scale).steps;
  const size_t width = std::max<size_t>(1, static_cast<size_t>(steps) / 16);
  std::vector<Panel> charts;
  for (const double rate : {kRates[1], kRates[3], kRates[5], kRates[7]}) {
    std::vector<BandPoint> points;
    for (const Kind& kind : {kBn, kPlain}) {
      for (BandPoint point : accuracy_curves(runs, {arm(kind, rate)}, width)) {
        point.arm = kind.name;
        points.push_back(point);
      }
    }
    charts.push_back({fmt::format("rate {}", rate), band_chart(points, kStyles, "training step", "accuracy (%)")});
  }
  return {"c", "Training at four of the rates",
          fmt::format("Share of each batch that the network gets right while it trains, average over the last {} "
                      "steps. From panel to panel the rate is ten times as high: at first that speeds learning up, "
                      "then it breaks it. Which network breaks first?",
                      width),
          panels(charts, 2)};
}

std::vector<std::string> answer(const ArmRuns& runs, const Claims& all) {
  if (!have_evidence(all)) return {};
  const auto judged = judge(all);
  const auto verdict = [&](const char* id) { return to_string(find_claim(judged, id).verdict); };
  const auto range = [&](const Kind& kind) {
    const PerSeed rates = highest_that_learns(runs, kind);
    const auto [low, high] = std::minmax_element(rates.begin(), rates.end());
    const std::string text = *low == *high ? fmt::format("{}", *low) : fmt::format("{} to {}", *low, *high);
    return text + (*high == kRates.back() ? ", the highest that was tried" : "");
  };
  return {
      fmt::format("The highest rate at which the network learns is {} without BN and {} with it, seed by seed, on a "
                  "grid in steps of about three; that it is higher with BN is {}.",
                  range(kPlain), range(kBn), verdict("higher-rates-learn")),
      fmt::format("That the best rate is higher with BN is {}; that at ten times the rate best without BN it learns "
                  "better, {}; that more rates do about as well as the best, {}.",
                  verdict("best-rate-is-higher"), verdict("better-at-ten-times"), verdict("rate-matters-less"))};
}

Findings findings(const Setting& setting, Results& results) {
  const ArmRuns runs(setting, results);
  const Claims all = claims(runs);
  return {{rates_figure(runs), highest_figure(runs), curves_figure(runs)}, all, {}, answer(runs, all)};
}

}  // namespace

Experiment results_rates() {
  return {
      "results-rates",
      "Higher learning rates",
      {"M8"},
      "Ioffe & Szegedy 2015, Batch Normalization (arXiv 1502.03167)",
      "sections 3.3 and 4.2 (no figure of theirs)",
      "How high may the learning rate be with BN and without?",
      grid_plan,
      [](const Setting& setting) -> std::vector<std::string> {
        return {what_grid_was_trained(setting),
                "The paper raised the rate of Inception on ImageNet by factors of 5 and 30. Here the highest rate that "
                "learns is sought on a grid that was fixed beforehand, rather than by bisection, so that all runs can "
                "be listed before the first begins; it is known up to the grid's factor of about three."};
      },
      findings,
      {.chapter = Chapter::kResults,
       .plainly = "The learning rate is how far a network steps at a time: too small and it crawls, too large and its "
                  "training breaks. The same network is trained at rates from small to far too large, with BN and "
                  "without; look at how far to the right each curve stays up.",
       .headline = "higher-rates-learn",
       .in_short = "BN stands higher learning rates.",
       .try_next = "bnlab train --model mlp --model-option layers=6 --norm none --lr 3"}};
}

}  // namespace bnlab
