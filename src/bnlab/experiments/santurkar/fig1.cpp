#include <fmt/format.h>

#include <cmath>

#include "bnlab/experiments/santurkar/dln.h"
#include "bnlab/experiments/santurkar/santurkar.h"
#include "bnlab/experiments/santurkar/vgg.h"
#include "bnlab/study/curves.h"
#include "bnlab/study/evidence.h"

namespace bnlab {
namespace {

using namespace santurkar;

constexpr int64_t kEarlyLayer = 3, kLateLayer = 11;  // of the paper's 13
const Arm kBn = bn(0.1), kPlain = plain(0.1), kBnFast = bn(0.5), kPlainFast = plain(0.5);
const std::vector<Arm> kArms = {kBn, kBnFast, kPlain, kPlainFast};

// The paper shows the linear network's activations; that it trains faster with BN is said in its appendix. It leaves
// open where BN stands there, so that its sentence is judged for each place.
struct DlnPlace {
  Arm bn;
  std::string id, where;
};
const std::vector<DlnPlace> kDlnPlaces = {
    {dln_bn(1e-6), "dln-faster", "behind the first 24 layers, γ, β learned"},
    {dln_bn_placed(24, false), "dln-faster-24-fixed", "behind the first 24 layers, γ, β fixed"},
    {dln_bn_placed(25, true), "dln-faster-25", "behind all 25 layers, γ, β learned"},
    {dln_bn_placed(25, false), "dln-faster-25-fixed", "behind all 25 layers, γ, β fixed"}};

std::vector<Arm> dln_arms() {
  std::vector<Arm> arms = {dln_plain(1e-6)};
  for (const DlnPlace& place : kDlnPlaces) arms.push_back(place.bn);
  return arms;
}

/// The evaluation of an arm's finished networks.
Arm tested(const Arm& arm) {
  return {{arm.name() + ", tested", arm.style.color}};
}

Plan plan(const Setting& setting) {
  Plan plan(setting);
  add_runs(plan, setting, kArms);
  add_runs(plan, setting, dln_arms());
  for (const int64_t seed : setting.seeds) {
    for (const Arm& arm : kArms) {
      const PlannedRun trained = plan.run(arm.name(), seed);
      plan.add(tested(arm).name(), seed, "test of " + trained.title,
               AnalysisSpec{"evaluation", {{"split", "test"}}, {trained.id}});
    }
  }
  return plan;
}

std::vector<std::string> what_was_run(const Setting& setting) {
  return {
      what_was_trained(setting),
      "The paper: VGG with 13 convolutions on CIFAR-10, 15,000 steps. Where it is silent: convolutions keep their "
      "bias in both networks; a layer's values are those of the same 128 training images at every observation, so that "
      "a change between observations is the weights' doing. They are looked at in front of the normalization (what the "
      "convolution gives) and behind it (what the ReLU gets); behind BN their mean and variance are β and γ² by "
      "construction, so that the first place is the one at which the sentence can be judged.",
      what_dln_was_trained(setting)};
}

/// Test accuracy after the last step, 0 to 1.
PerSeed final_test(const ArmRuns& runs, const Arm& arm) {
  return each(runs, tested(arm), [](RunReader& run) {
    return run.scalar_at({"evaluation", 0, "accuracy"}, 0).value_or(NAN);
  });
}

Figure test_figure(const ArmRuns& runs, const Protocol& p) {
  const double chance = 100.0 / static_cast<double>(runs.classes());
  std::vector<BandPoint> points;
  for (const Arm& arm : kArms) {
    std::map<int64_t, std::vector<double>> by_step;
    for (RunReader* run : runs.of(arm)) {
      const Series series = run->scalars({"accuracy", 0, "test_accuracy"});
      for (size_t i = 0; i < series.steps.size(); ++i) by_step[series.steps[i]].push_back(100 * series.values[i]);
      if (run->diverged_at() < 0) continue;
      for (int64_t step = 0; step <= p.steps; step += p.test_every) {  // from there on it guesses
        if (step >= run->diverged_at()) by_step[step].push_back(chance);
      }
    }
    for (const auto& [step, values] : by_step) {
      points.push_back(band_point(arm.name(), static_cast<double>(step), values));
    }
  }
  return {"b", "Test accuracy",
          fmt::format(
              "Share of {} test images that the network gets right, in evaluation mode (BN uses its running averages). "
              "Line: mean over seeds, band: lowest to highest seed. Early on, BN's running averages lag behind the "
              "weights, so its test accuracy may jump about while its training accuracy rises steadily.",
              p.test_examples == 0 ? "all" : "the first " + std::to_string(p.test_examples)),
          band_chart(points, styles_of(kArms), "training step", "test accuracy (%)", {.points = true})};
}

Figure activations_figure(const ArmRuns& runs, const Protocol& p) {
  return {"c", "Distribution of a layer's activations over training",
          fmt::format(
              "Each ridge is the distribution of the values that a layer's ReLU gets, at one training step; time runs "
              "downwards and towards the darker ridges (seed {}). BN was invented to keep these distributions steady. "
              "Compare left (without BN) and right (with BN): do the ridges on the right really wander less, as "
              "clearly as the curves above differ?",
              runs.setting().seeds.front()),
          activation_ridges(runs, {kPlain, kBn}, {layer_at(p, kEarlyLayer), layer_at(p, kLateLayer)})};
}

/// Mean Wasserstein-1 distance between successive observations, in units of their mean standard deviation. It depends
/// on the spacing of the observations: NaN unless they are `every` steps apart.
double drift(RunReader& run, int64_t layer, int64_t every, const std::function<std::string(const char*)>& name) {
  const auto samples = run.arrays({"activations", layer, name("samples")});
  const Series deviations = run.scalars({"activations", layer, name("std")});
  if (samples.size() < 2 || samples.size() != deviations.steps.size()) return NAN;
  double sum = 0;
  for (size_t i = 1; i < samples.size(); ++i) {
    if (samples[i].step - samples[i - 1].step != every) return NAN;
    sum += wasserstein1(samples[i - 1].as_doubles(), samples[i].as_doubles()) /
           (0.5 * (deviations.values[i - 1] + deviations.values[i]));
  }
  return sum / static_cast<double>(samples.size() - 1);
}

std::string behind(const char* name) {
  return name;
}

std::vector<std::pair<Claim, Evidence>> drift_claims(const ArmRuns& runs, const Protocol& p) {
  const Precondition both = learned(runs, {kBn, kPlain}, second_half(p));
  const std::string what =
                        "ln of the ratio, with BN to without, of the mean Wasserstein-1 distance between successive "
                        "observations in units of their standard deviation, of what ",
                    bounds = "; the bounds are our reading of \"much less pronounced\"";
  const auto wandering = [&](int64_t number, const std::function<std::string(const char*)>& name) {
    const auto of = [&](const Arm& arm) {
      return each(runs, arm, [&](RunReader& run) { return drift(run, layer_at(p, number), p.observe_every, name); });
    };
    return log_ratio(of(kBn), of(kPlain));
  };
  const PerSeed early = wandering(kEarlyLayer, in_front), late = wandering(kLateLayer, in_front);
  const auto claim = [&](const std::string& id, const std::string& which, const std::string& place,
                         const PerSeed& effects) -> std::pair<Claim, Evidence> {
    return {
        {.id = id,
         .sentence = fmt::format("The values of {} wander about as much with BN as without, less than twofold "
                                 "apart, {}.",
                                 which, place),
         .quote = "The difference in the evolution of layer input distributions seems to be much less pronounced. "
                  "(Fig. 1, caption)",
         .statistic = what + (place == "behind the normalization" ? "the ReLU gets" : "the convolution gives") + bounds,
         .window = fmt::format("all of training, an observation every {} steps, rate 0.1", p.observe_every),
         .unit = "log ratio",
         .side = Side::within(-std::log(2.0), std::log(2.0)),
         .paper_value = {}},
        paired(runs, {kBn, kPlain}, {both}, effects)};
  };
  const std::string early_layer = fmt::format("layer #{}", layer_at(p, kEarlyLayer)),
                    late_layer = fmt::format("layer #{}", layer_at(p, kLateLayer));
  const std::string front = "in front of the normalization", back = "behind the normalization";
  std::vector<std::pair<Claim, Evidence>> all = {
      claim("activations-drift-alike",
            fmt::format("layers #{} and #{}", layer_at(p, kEarlyLayer), layer_at(p, kLateLayer)), front,
            mean_of_all({early, late})),
      claim("activations-drift-alike-early", early_layer, front, early),
      claim("activations-drift-alike-late", late_layer, front, late),
      claim("activations-drift-alike-early-behind", early_layer, back, wandering(kEarlyLayer, behind)),
      claim("activations-drift-alike-late-behind", late_layer, back, wandering(kLateLayer, behind))};
  all.front().first.rank = Rank::kPrimary;
  return all;
}

std::vector<std::pair<Claim, Evidence>> training_claims(const ArmRuns& runs, const Protocol& p) {
  const Window window = second_half(p);
  const PerSeed with = accuracy(runs, kBn, window), without = accuracy(runs, kPlain, window),
                with_fast = accuracy(runs, kBnFast, window), without_fast = accuracy(runs, kPlainFast, window);
  const std::string difference = "mean training accuracy with BN minus without, over the window";
  const Precondition both = learned(runs, {kBn, kPlain}, window);
  return {
      {{.id = "faster-at-0.1",
        .sentence = "At the same learning rate (0.1), the network with BN trains faster.",
        .quote = "There is a consistent gain in training speed in models with BatchNorm layers. (Fig. 1, caption)",
        .statistic = difference,
        .window = window.text(),
        .unit = "percentage points",
        .side = Side::above(0),
        .paper_value = {},
        .rank = Rank::kPrimary},
       paired(runs, {kBn, kPlain}, {both}, points_between(with, without))},
      {{.id = "better-at-0.5",
        .sentence = "At a high learning rate (0.5), the network with BN trains better than the one without.",
        .quote = "(Fig. 1a: the curves at learning rate 0.5.)",
        .statistic = difference,
        .window = window.text(),
        .unit = "percentage points",
        .side = Side::above(0),
        .paper_value = {},
        .rank = Rank::kPrimary},
       paired(runs, {kBnFast, kPlainFast}, {learned(runs, {kBnFast}, window)},
              points_between(with_fast, without_fast))},
      {{.id = "robust-to-rate",
        .sentence = "Raising the learning rate from 0.1 to 0.5 costs the network with BN less than the one without.",
        .quote = "(Section 2: BatchNorm makes training less sensitive to the choice of hyperparameters; "
                 "paraphrased.)",
        .statistic = "(accuracy at 0.1 minus at 0.5 without BN) minus (the same with BN), over the window",
        .window = window.text(),
        .unit = "percentage points",
        .side = Side::above(0),
        .paper_value = {}},
       paired(runs, {kBn, kBnFast, kPlain, kPlainFast}, {both},
              minus(points_between(without, without_fast), points_between(with, with_fast)))},
      {{.id = "better-test-accuracy",
        .sentence = "After training at rate 0.1, the network with BN does better on the test images.",
        .quote = "(Fig. 1b: test accuracy 83 % with BN and 80 % without.)",
        .statistic = "accuracy on the whole test split after the last step, with BN minus without",
        .window = "after the last step",
        .unit = "percentage points",
        .side = Side::above(0),
        .paper_value = 3.0,
        .rank = Rank::kPrimary},
       paired(runs, {kBn, kPlain, tested(kBn), tested(kPlain)}, {both},
              points_between(final_test(runs, kBn), final_test(runs, kPlain)))}};
}

std::pair<Claim, Evidence> dln_claim(const ArmRuns& runs, const DlnPlace& place) {
  const Window window = second_half(dln_protocol(runs.setting().scale));
  const Arm plain = dln_plain(1e-6);
  const Key loss{"train", 0, "loss"};
  return {{.id = place.id,
           .sentence = fmt::format("The deep linear network, too, trains faster with BN ({}).", place.where),
           .quote = "(Appendix A: BatchNorm leads to improved training of deep linear networks; paraphrased.)",
           .statistic = "ln of the ratio, with BN to without, of the mean training loss over the window, rate 1e-6",
           .window = window.text(),
           .unit = "log ratio",
           .side = Side::below(0),
           .paper_value = {}},
          paired(runs, {place.bn, plain}, {loss_halved(runs, {place.bn}, window)},
                 log_ratio(mean(runs, place.bn, loss, window), mean(runs, plain, loss, window)))};
}

std::vector<PaperNumber> paper_numbers(const ArmRuns& runs) {
  const Setting& setting = runs.setting();
  const auto percent = [&](const Arm& arm) {
    PerSeed values = final_test(runs, arm);
    for (double& value : values) value *= 100;
    return values.empty() ? std::string("–") : mean_and_interval(values, 1);
  };
  const std::string note =
      fmt::format("The paper: VGG with 13 convolutions, CIFAR-10, 15,000 steps; here {} at scale {}.",
                  setting.data.title, to_string(setting.scale));
  return {{"test accuracy with BN, rate 0.1 (%)", "83", percent(kBn), note},
          {"test accuracy without BN, rate 0.1 (%)", "80", percent(kPlain), note}};
}

Findings findings(const Setting& setting, Results& results) {
  const Protocol p = protocol(setting.scale);
  const ArmRuns runs(setting, results);
  auto claims = training_claims(runs, p);
  for (auto& claim : drift_claims(runs, p)) claims.push_back(std::move(claim));
  for (const DlnPlace& place : kDlnPlaces) claims.push_back(dln_claim(runs, place));
  return {
      {training_figure("a", runs, kArms, p.steps,
                       "Look at the gap between red (with BN) and blue (without), and at what the higher learning "
                       "rate (dashed) does to each."),
       test_figure(runs, p),
       activations_figure(runs, p),
       dln_loss_figure("d", runs, dln_arms(),
                       "Where BN stands matters: behind the last layer, too (dashed), with γ and β fixed "
                       "(orange), it fixes the scale of the output, which the task does not ask for."),
       {"e", "Distribution of a layer's values in the deep linear network",
        fmt::format("As above, for layers #1, #11 and #24 of 25, without and with BN (seed {}). (The paper's Fig. 9.)",
                    setting.seeds.front()),
        activation_ridges(runs, {dln_plain(1e-6), dln_bn(1e-6)}, {1, 11, 24})}},
      claims,
      paper_numbers(runs)};
}

}  // namespace

Experiment santurkar_fig1() {
  return {"santurkar-fig1",
          "VGG with and without batch normalization",
          {"M9"},
          kSource,
          "Fig. 1 a, b, c and 9",
          "Does BN make a network train faster and at higher learning rates, and does it do so by keeping its layers' "
          "activations steadier?",
          plan,
          what_was_run,
          findings,
          {.chapter = Chapter::kResults,
           .plainly = "The same network is trained with BN and without, at a usual and at a high learning rate. The "
                      "higher a curve, the more images the network gets right at that step.",
           .headline = "faster-at-0.1",
           .in_short = "With BN a network learns faster at the same learning rate."}};
}

}  // namespace bnlab
