// How far along its gradient a deep network's loss falls, in the first mini-batches. Run it: bnlab reproduce --only
// bjorck-fig3
#include <fmt/format.h>

#include <cmath>
#include <map>

#include "bnlab/experiments/bjorck/bjorck.h"
#include "bnlab/study/curves.h"
#include "bnlab/study/evidence.h"

namespace bnlab {
namespace {

using bjorck::first_steps;

constexpr int64_t kFirstBatches = 4;
constexpr double kBnRate = 0.1, kPlainRate = 1e-4;  // the paper's normal rates
constexpr double kNearest = 1e-5, kFarthest = 10;   // step sizes
constexpr int64_t kStepSizes = 19;                  // three in each power of ten
const double kOrders = std::log(100.0);             // "orders of magnitude": two; ours
constexpr double kMostDrawn = 1000;
const std::string kRelative = "relative-loss";
const ArmStyle kUnchanged{"as before the step", colors::kGrey, {4, 4}};

Arm starting(const std::string& name, const std::string& color, bool bn) {
  return {{name, color}, [bn](const Setting& setting, int64_t seed) {
            TrainSpec spec = first_steps(setting, seed, bn, bn ? kBnRate : kPlainRate, kFirstBatches);
            spec.probes.push_back(
                {kRelative, 0, 1, false, {{"near", kNearest}, {"far", kFarthest}, {"points", kStepSizes}}});
            return spec;
          }};
}
const Arm kBnStart = starting("BN", colors::kRed, true), kPlainStart = starting("no BN", colors::kBlue, false);
const std::vector<Arm> kStepped = {kBnStart, kPlainStart};

std::vector<std::string> what_was_stepped(const Setting& setting) {
  return {bjorck::what_was_started(setting),
          fmt::format(
              "SGD with momentum 0.9 at the paper's rates, {} with BN and {} without, for {} steps. Before each, the "
              "loss of the step's batch is taken at {} points along that batch's own gradient, from {} to {} times the "
              "gradient, three in each power of ten: what a plain step with this learning rate would lead to.",
              kBnRate, kPlainRate, kFirstBatches, kStepSizes, kNearest, kFarthest)};
}

/// ln of the step size at which the relative loss first passes 1, mean over the window.
PerSeed log_crossing(const ArmRuns& runs, const Arm& arm, const Window& window) {
  return each(runs, arm, [&](RunReader& run) {
    Series crossings = run.scalars({kRelative, 0, "crossing"});
    for (double& value : crossings.values) value = std::log(value);
    return mean_over(crossings, window);
  });
}

/// ln of the length of that step.
PerSeed log_length(const ArmRuns& runs, const Arm& arm, const Window& window) {
  PerSeed norms = each(runs, arm, [&](RunReader& run) {
    Series gradients = run.scalars({kRelative, 0, "gradient_norm"});
    for (double& value : gradients.values) value = std::log(value);
    return mean_over(gradients, window);
  });
  const PerSeed sizes = log_crossing(runs, arm, window);
  for (size_t i = 0; i < norms.size(); ++i) norms[i] += sizes[i];
  return norms;
}

/// Whether the loss falls at the nearest point and has risen at the farthest, on each batch.
Precondition crosses(const ArmRuns& runs, const Window& window) {
  Precondition precondition{"crosses-inside", true, ""};
  for (const Arm& arm : kStepped) {
    double least = INFINITY, most = 0;
    for (RunReader* run : runs.of(arm)) {
      const Series crossings = run->scalars({kRelative, 0, "crossing"});
      for (size_t i = 0; i < crossings.steps.size(); ++i) {
        if (crossings.steps[i] >= window.end) continue;
        lower_to(least, crossings.values[i]);
        raise_to(most, crossings.values[i]);
      }
    }
    if (!(least > kNearest && most < kFarthest)) precondition.holds = false;
    precondition.detail +=
        fmt::format("{}{}: {:.2g} to {:.2g}", precondition.detail.empty() ? "" : "; ", arm.name(), least, most);
  }
  precondition.detail += fmt::format(" (asked: between {} and {})", kNearest, kFarthest);
  return precondition;
}

const Window kBatches{0, kFirstBatches}, kFirstBatch{0, 1}, kLaterBatches{1, kFirstBatches};

std::vector<std::pair<Claim, Evidence>> step_claims(const ArmRuns& runs) {
  const std::string paper =
      "(Section 3: without BN only small steps along the gradient reduce the loss, with BN a far broader range of "
      "them; paraphrased.)";
  const auto sizes = [&](const Window& window) {
    return minus(log_crossing(runs, kBnStart, window), log_crossing(runs, kPlainStart, window));
  };
  const auto claim = [&](const std::string& id, const std::string& sentence, const std::string& what,
                         const Window& window, const Side& side, const PerSeed& effects,
                         Rank rank) -> std::pair<Claim, Evidence> {
    return {{.id = id,
             .sentence = sentence,
             .quote = paper,
             .statistic = "ln of the ratio, with BN to without, of the " + what +
                          " at which the loss of the batch first exceeds the one that the step began with; mean over "
                          "the window's batches" +
                          (side.low > 0 ? "; the bound, a factor of 100, is ours" : ""),
             .window = window.text(),
             .unit = "log ratio",
             .side = side,
             .paper_value = {},
             .rank = rank},
            paired(runs, kStepped, {crosses(runs, window)}, effects)};
  };
  const Side more = Side::above(0), orders = Side::above(kOrders);
  return {
      claim("larger-steps", "In the first mini-batches, larger steps along the gradient lower the loss with BN.",
            "step size", kBatches, more, sizes(kBatches), Rank::kPrimary),
      claim("orders-of-magnitude", "They are larger by orders of magnitude: a hundred times and more.", "step size",
            kBatches, orders, sizes(kBatches), Rank::kPrimary),
      claim("larger-steps-at-first", "On the very first mini-batch, larger steps lower the loss with BN.", "step size",
            kFirstBatch, more, sizes(kFirstBatch), Rank::kSecondary),
      claim("orders-of-magnitude-at-first", "On the very first mini-batch they are a hundred times as large.",
            "step size", kFirstBatch, orders, sizes(kFirstBatch), Rank::kSecondary),
      claim("larger-steps-later", "On the mini-batches after it, larger steps lower the loss with BN.", "step size",
            kLaterBatches, more, sizes(kLaterBatches), Rank::kSecondary),
      claim("longer-steps",
            "The steps are longer, too: what the smaller gradient with BN takes off is less than what the larger "
            "step size adds.",
            "length of the step, size times the gradient's norm,", kBatches, more,
            minus(log_length(runs, kBnStart, kBatches), log_length(runs, kPlainStart, kBatches)), Rank::kSecondary)};
}

/// A ratio as it is drawn: at most kMostDrawn, also if it is no number any more.
double drawn_ratio(double ratio) {
  return ratio <= kMostDrawn ? ratio : kMostDrawn;
}

/// Relative loss against the step size, of one batch: geometric mean, lowest and highest of the seeds.
std::vector<BandPoint> relative_losses(const ArmRuns& runs, int64_t step) {
  std::vector<BandPoint> points;
  for (const Arm& arm : kStepped) {
    std::map<double, std::vector<double>> logs;  // by step size
    for (RunReader* run : runs.of(arm)) {
      const auto alphas = run->arrays({kRelative, 0, "alpha"}), ratios = run->arrays({kRelative, 0, "ratio"});
      for (size_t i = 0; i < ratios.size(); ++i) {
        if (ratios[i].step != step) continue;
        const auto sizes = alphas[i].as_doubles(), values = ratios[i].as_doubles();
        for (size_t k = 0; k < values.size(); ++k) logs[sizes[k]].push_back(std::log(drawn_ratio(values[k])));
      }
    }
    for (const auto& [size, values] : logs) {
      const BandPoint point = band_point(arm.name(), size, values);
      points.push_back({point.arm, point.x, std::exp(point.mean), std::exp(point.low), std::exp(point.high)});
    }
  }
  if (points.empty()) return points;
  for (const double size : {kNearest, kFarthest}) points.push_back({kUnchanged.arm, size, 1, 1, 1});
  return points;
}

Figure relative_figure(const ArmRuns& runs) {
  std::vector<ArmStyle> styles = styles_of(kStepped);
  styles.push_back(kUnchanged);
  std::vector<Panel> batches;
  for (int64_t step = 0; step < kFirstBatches; ++step) {
    batches.push_back({fmt::format("mini-batch {}", step + 1),
                       band_chart(relative_losses(runs, step), styles, "step size α (logarithmic)",
                                  "loss behind / before (logarithmic)", {.log_x = true, .log_y = true})});
  }
  return {"a", "How far a step along the gradient may go",
          fmt::format(
              "The loss of a mini-batch behind a step along its own gradient, as a share of the loss before it, by the "
              "size of the step; a panel a mini-batch, from the first on. Where a curve lies below the grey line the "
              "step helps, above it harms. Follow each curve to the right until it crosses: the further to the right, "
              "the larger the learning rate that the network stands. The paper: with BN (red) far further than without "
              "(blue). How deep a curve dips says less, since the loss without BN begins very high. What lies above "
              "{0}, or is no number any more, is drawn at {0}. Line: geometric mean over seeds, band: lowest to "
              "highest.",
              kMostDrawn),
          panels(batches, 2)};
}

Figure crossing_figure(const ArmRuns& runs) {
  const auto chart = [&](const std::string& title, const auto& number) {
    std::vector<SeedValue> values;
    for (int64_t step = 0; step < kFirstBatches; ++step) {
      for (const Arm& arm : kStepped) {
        const PerSeed logs = number(runs, arm, Window{step, step + 1});
        for (size_t i = 0; i < logs.size(); ++i) {
          values.push_back(
              {fmt::format("mini-batch {}", step + 1), arm.name(), runs.setting().seeds[i], std::exp(logs[i])});
        }
      }
    }
    return strip_chart(values, styles_of(kStepped), "", title, {.log = true});
  };
  return {"b", "Where the loss has risen again",
          "Left: the step size at which the loss is first higher than before the step; right: how far from the weights "
          "that is (step size times length of the gradient). A dot a seed, with mean and 95 % interval. On the first "
          "mini-batch, before any step, both networks have the same weights; from the second on each has made its "
          "steps at its own rate.",
          panels({{"step size", chart("step size", log_crossing)}, {"distance", chart("distance", log_length)}}, 2)};
}

std::vector<PaperNumber> numbers_of_steps(const ArmRuns& runs) {
  const auto at_first = [&](const Arm& arm, const Key& key) {
    PerSeed logs = mean(runs, arm, key, kFirstBatch);
    if (logs.empty()) return std::string("–");
    for (double& value : logs) value = std::log(value);
    return fmt::format("{:.3g}", std::exp(mean_of(logs)));
  };
  const std::string note = "First mini-batch, before any step; geometric mean over seeds.";
  std::vector<PaperNumber> numbers;
  for (const auto& [what, key] :
       {std::pair<std::string, Key>{"step size at which the loss rises", {kRelative, 0, "crossing"}},
        {"length of the gradient", {kRelative, 0, "gradient_norm"}},
        {"loss", {"train", 0, "loss"}}}) {
    for (const Arm& arm : kStepped) numbers.push_back({what + ", " + arm.name(), "–", at_first(arm, key), note});
  }
  return numbers;
}

std::vector<std::string> answer_of_steps(const ArmRuns& runs, const std::vector<std::pair<Claim, Evidence>>& all) {
  if (!have_evidence(all)) return {};
  const auto judged = judge(all);
  const auto loss_at = [&](int64_t step) {
    return mean_of(mean(runs, kPlainStart, {"train", 0, "loss"}, {step, step + 1}));
  };
  const auto text = [&](const char* id) {
    const JudgedClaim& claim = find_claim(judged, id);
    return fmt::format("{} (factor {:.3g})", to_string(claim.verdict), std::exp(claim.interval.mean));
  };
  return {fmt::format(
      "That with BN the loss falls over larger steps, over the first {} mini-batches, is {}; on the very first alone, "
      "{}; on those after it, {}. Without BN the mean loss is {:.3g} on the first mini-batch, before any step, and "
      "{:.3g} "
      "on the second, after one.",
      kFirstBatches, text("larger-steps"), text("larger-steps-at-first"), text("larger-steps-later"), loss_at(0),
      loss_at(1))};
}

Findings findings_of_steps(const Setting& setting, Results& results) {
  const ArmRuns runs(setting, results);
  const auto all = step_claims(runs);
  return {{relative_figure(runs), crossing_figure(runs)}, all, numbers_of_steps(runs), answer_of_steps(runs, all)};
}

}  // namespace

Experiment bjorck_fig3() {
  return {
      "bjorck-fig3",
      "How far a step may go",
      {"M21"},
      bjorck::kSource,
      "Fig. 3",
      "Over what range of step sizes along the gradient does the loss fall, with BN and without?",
      runs_of(kStepped),
      what_was_stepped,
      findings_of_steps,
      {.chapter = Chapter::kWhyItWorks,
       .plainly = "A gradient says in which direction the loss falls, not for how long. Here a deep network's first "
                  "steps are tried out in all sizes; look at how far to the right each curve stays below the grey "
                  "line.",
       .headline = "larger-steps",
       .in_short = "In its first steps a deep network with BN can go further along its gradient before its loss "
                   "rises."}};
}

}  // namespace bnlab
