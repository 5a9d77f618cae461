#include <fmt/format.h>

#include <cmath>

#include "bnlab/experiments/santurkar/dln.h"
#include "bnlab/experiments/santurkar/santurkar.h"
#include "bnlab/experiments/santurkar/vgg.h"

namespace bnlab {
namespace {

using namespace santurkar;

constexpr int64_t kEarlyLayer = 3, kLateLayer = 11;  // of the paper's 13
const char* const kBn = "BN, rate 0.1";
const char* const kPlain = "no BN, rate 0.1";
const char* const kBnFast = "BN, rate 0.5";
const char* const kPlainFast = "no BN, rate 0.5";

const std::vector<Arm>& arms() {
  static const std::vector<Arm> all = {bn(0.1), bn(0.5), plain(0.1), plain(0.5)};
  return all;
}

// The paper shows the linear network's activations; that it trains faster with BN is said in its appendix.
const std::vector<Arm>& dln_arms() {
  static const std::vector<Arm> all = {dln_plain(1e-6), dln_bn(1e-6), dln_bn_placed(24, false), dln_bn_placed(25, true),
                                       dln_bn_placed(25, false)};
  return all;
}

std::string tested(const std::string& arm) {
  return arm + ", tested";
}

Plan plan(const Setting& setting) {
  Plan plan(setting);
  add_runs(plan, setting, arms());
  add_runs(plan, setting, dln_arms());
  for (const int64_t seed : setting.seeds) {
    for (const Arm& arm : arms()) {
      const PlannedRun trained = plan.run(arm.name(), seed);
      plan.add(tested(arm.name()), seed, "test of " + trained.title,
               AnalysisSpec{"evaluation", {{"split", "test"}}, {trained.id}});
    }
  }
  return plan;
}

std::vector<std::string> what_was_run(const Setting& setting) {
  return {
      what_was_trained(setting),
      "The paper: VGG with 13 convolutions on CIFAR-10, 15,000 steps. Where it is silent: convolutions keep their "
      "bias in both networks; a layer's activations are what its ReLU gets, of the same 128 training images at every "
      "observation, so that a change between observations is the weights' doing.",
      what_dln_was_trained(setting)};
}

/// Test accuracy after the last step (0 to 1), one value a seed that has its runs.
std::vector<double> final_test(const Setting& setting, Results& results, const std::string& arm) {
  std::vector<double> accuracy;
  for (const int64_t seed : setting.seeds) {
    RunReader* test = results.find(tested(arm), seed);
    if (test) accuracy.push_back(test->scalar_at({"evaluation", 0, "accuracy"}, 0).value_or(NAN));
  }
  return accuracy;
}

Figure test_figure(const TrainedArms& trained, const Protocol& p) {
  const double chance = 1.0 / static_cast<double>(trained.setting().data.shape.classes);
  std::vector<BandPoint> points;
  for (const Arm& arm : arms()) {
    std::map<int64_t, std::vector<double>> by_step;
    for (RunReader* run : trained.runs(arm.name())) {
      const Series series = run->scalars({"accuracy", 0, "test_accuracy"});
      for (size_t i = 0; i < series.steps.size(); ++i) by_step[series.steps[i]].push_back(100 * series.values[i]);
      if (run->diverged_at() < 0) continue;
      for (int64_t step = 0; step <= p.steps; step += p.test_every) {  // from there on it guesses
        if (step >= run->diverged_at()) by_step[step].push_back(100 * chance);
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
          band_chart(points, styles_of(arms()), "training step", "test accuracy (%)", {.points = true})};
}

std::vector<std::vector<double>> samples(RunReader& run, int64_t layer) {
  std::vector<std::vector<double>> all;
  for (const auto& record : run.arrays({"activations", layer, "samples"})) all.push_back(record.as_doubles());
  return all;
}

Figure activations_figure(const TrainedArms& trained, const Protocol& p) {
  return {"c", "Distribution of a layer's activations over training",
          fmt::format(
              "Each ridge is the distribution of the values that a layer's ReLU gets, at one training step; time runs "
              "downwards and towards the darker ridges (seed {}). BN was invented to keep these distributions steady. "
              "Compare left (without BN) and right (with BN): do the ridges on the right really wander less, as "
              "clearly as the curves above differ?",
              trained.setting().seeds.front()),
          activation_ridges(trained, {kPlain, kBn}, {layer_at(p, kEarlyLayer), layer_at(p, kLateLayer)})};
}

// Mean Wasserstein-1 distance between successive observations, in units of their mean standard deviation.
double drift(RunReader& run, int64_t layer) {
  const auto all = samples(run, layer);
  const Series deviations = run.scalars({"activations", layer, "std"});
  double sum = 0;
  for (size_t i = 1; i < all.size(); ++i) {
    sum += wasserstein1(all[i - 1], all[i]) / (0.5 * (deviations.values[i - 1] + deviations.values[i]));
  }
  return all.size() > 1 ? sum / static_cast<double>(all.size() - 1) : NAN;
}

std::vector<std::pair<Claim, Evidence>> claims(const TrainedArms& trained, Results& results, const Protocol& p) {
  const Window window = second_half(p);
  const auto accuracy = [&](const char* arm) { return trained.accuracy(arm, window); };
  const auto tests = [&](const char* arm) { return final_test(trained.setting(), results, arm); };
  const auto robust = [&](size_t i) {
    return 100 * ((accuracy(kPlain)[i] - accuracy(kPlainFast)[i]) - (accuracy(kBn)[i] - accuracy(kBnFast)[i]));
  };
  std::vector<std::pair<Claim, Evidence>> all = {
      {{"faster-at-0.1", "At the same learning rate (0.1), the network with BN trains faster.",
        "There is a consistent gain in training speed in models with BatchNorm layers. (Fig. 1, caption)",
        "mean training accuracy with BN minus without, over the window", window.text(), "percentage points",
        Side::above(0), std::nullopt},
       trained.evidence({kBn, kPlain}, {trained.learned({kBn, kPlain}, window)},
                        points_between(accuracy(kBn), accuracy(kPlain)))},
      {{"better-at-0.5", "At a high learning rate (0.5), the network with BN trains better than the one without.",
        "(Fig. 1a: the curves at learning rate 0.5.)", "mean training accuracy with BN minus without, over the window",
        window.text(), "percentage points", Side::above(0), std::nullopt},
       trained.evidence({kBnFast, kPlainFast}, {trained.learned({kBnFast}, window)},
                        points_between(accuracy(kBnFast), accuracy(kPlainFast)))},
      {{"robust-to-rate",
        "Raising the learning rate from 0.1 to 0.5 costs the network with BN less than the one without.",
        "(Section 2: BatchNorm makes training less sensitive to the choice of hyperparameters; paraphrased.)",
        "(accuracy at 0.1 minus at 0.5 without BN) minus (the same with BN), over the window", window.text(),
        "percentage points", Side::above(0), std::nullopt},
       trained.evidence({kBn, kBnFast, kPlain, kPlainFast}, {trained.learned({kBn, kPlain}, window)}, robust)}};
  Claim better{"better-test-accuracy",
               "After training at rate 0.1, the network with BN does better on the test images.",
               "(Fig. 1b: test accuracy 83 % with BN and 80 % without.)",
               "accuracy on the whole test split after the last step, with BN minus without",
               "after the last step",
               "percentage points",
               Side::above(0),
               3.0};
  Evidence tested_evidence;
  if (tests(kBn).size() < trained.setting().seeds.size() || tests(kPlain).size() < trained.setting().seeds.size()) {
    tested_evidence.missing = "evaluations of the finished networks are missing";
  } else {
    tested_evidence = trained.evidence({kBn, kPlain}, {trained.learned({kBn, kPlain}, window)},
                                       points_between(tests(kBn), tests(kPlain)));
  }
  all.emplace_back(std::move(better), std::move(tested_evidence));
  for (const auto& [number, which] : {std::pair{kEarlyLayer, "early"}, {kLateLayer, "late"}}) {
    const int64_t layer = layer_at(p, number);
    const auto wandering = [&](size_t i) {
      return std::log(drift(*trained.runs(kBn)[i], layer) / drift(*trained.runs(kPlain)[i], layer));
    };
    all.push_back(
        {{std::string("activations-drift-alike-") + which,
          fmt::format("The distribution of layer #{}'s activations wanders about as much with BN as without: less than "
                      "twofold apart.",
                      layer),
          "The difference in the evolution of layer input distributions seems to be much less pronounced. (Fig. 1, "
          "caption)",
          "ln of the ratio, with BN to without, of the mean Wasserstein-1 distance between successive observations in "
          "units of their standard deviation; the bounds are our reading of \"much less pronounced\"",
          fmt::format("all of training, an observation every {} steps, rate 0.1", p.observe_every), "log ratio",
          Side::within(-std::log(2.0), std::log(2.0)), std::nullopt},
         trained.evidence({kBn, kPlain}, {trained.learned({kBn, kPlain}, window)}, wandering)});
  }
  return all;
}

std::vector<PaperNumber> paper_numbers(const Setting& setting, Results& results) {
  const auto percent = [&](const char* arm) {
    std::vector<double> values = final_test(setting, results, arm);
    for (double& value : values) value *= 100;
    return values.empty() ? std::string("–") : mean_and_interval(values, 1);
  };
  const std::string note =
      fmt::format("The paper: VGG with 13 convolutions, CIFAR-10, 15,000 steps; here {} at scale {}.",
                  setting.data.title, to_string(setting.scale));
  return {{"test accuracy with BN, rate 0.1 (%)", "83", percent(kBn), note},
          {"test accuracy without BN, rate 0.1 (%)", "80", percent(kPlain), note}};
}

/// The paper leaves open where BN stands in the linear network, so that its sentence is judged for each place.
std::pair<Claim, Evidence> dln_claim(const TrainedArms& dln, const Setting& setting, const std::string& id,
                                     const std::string& where, const std::string& bn) {
  const Window window = second_half(dln_protocol(setting.scale));
  const std::string plain = dln_plain(1e-6).name();
  const Key loss{"train", 0, "loss"};
  return {{id, fmt::format("The deep linear network, too, trains faster with BN ({}).", where),
           "(Appendix A: BatchNorm leads to improved training of deep linear networks; paraphrased.)",
           "ln of the ratio, with BN to without, of the mean training loss over the window, rate 1e-6", window.text(),
           "log ratio", Side::below(0), std::nullopt},
          dln.evidence({bn, plain}, {dln.loss_halved({bn}, window)},
                       log_ratio(dln.mean(bn, loss, window), dln.mean(plain, loss, window)))};
}

Findings findings(const Setting& setting, Results& results) {
  const Protocol p = protocol(setting.scale);
  const TrainedArms dln(setting, results, dln_arms());
  const TrainedArms trained(setting, results, arms());
  auto all = claims(trained, results, p);
  all.push_back(dln_claim(dln, setting, "dln-faster", "behind the first 24 layers, γ, β learned", dln_bn(1e-6).name()));
  all.push_back(dln_claim(dln, setting, "dln-faster-24-fixed", "behind the first 24 layers, γ, β fixed",
                          dln_bn_placed(24, false).name()));
  all.push_back(
      dln_claim(dln, setting, "dln-faster-25", "behind all 25 layers, γ, β learned", dln_bn_placed(25, true).name()));
  all.push_back(dln_claim(dln, setting, "dln-faster-25-fixed", "behind all 25 layers, γ, β fixed",
                          dln_bn_placed(25, false).name()));
  return {
      {training_figure("a", trained, arms(), p.steps,
                       "Look at the gap between red (with BN) and blue (without), and at what the higher learning "
                       "rate (dashed) does to each."),
       test_figure(trained, p),
       activations_figure(trained, p),
       dln_loss_figure("d", dln, dln_arms(),
                       "Where BN stands matters: behind the last layer, too (dashed), with γ and β fixed "
                       "(orange), it fixes the scale of the output, which the task does not ask for."),
       {"e", "Distribution of a layer's values in the deep linear network",
        fmt::format("As above, for layers #1, #11 and #24 of 25, without and with BN (seed {}). (The paper's Fig. 9.)",
                    setting.seeds.front()),
        activation_ridges(dln, {dln_plain(1e-6).name(), dln_bn(1e-6).name()}, {1, 11, 24})}},
      all,
      paper_numbers(setting, results)};
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
          findings};
}

}  // namespace bnlab
