#include "bnlab/experiments/basics/scaled_inputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bnlab/study/evidence.h"

namespace bnlab::inputs {
namespace {

const std::vector<double> kScaledRates = {0.01, 0.03, 0.1, 0.3};

struct ScalingProtocol {
  int64_t layers, width, batch, steps;
};

ScalingProtocol scaling_protocol(Scale scale) {
  switch (scale) {
    case Scale::kSmoke:
      return {2, 8, 4, 12};
    case Scale::kQuick:
      return {3, 100, 64, 400};
    case Scale::kStandard:
      return {3, 100, 64, 5000};
    case Scale::kPaper:
      return {3, 100, 60, 50000};  // network, batch and steps of Ioffe & Szegedy 2015, section 4.1
  }
  throw std::logic_error("no such scale");
}

Arm trained_on(const Input& input, const std::string& norm, double rate) {
  const std::string name = fmt::format("{}{}, rate {}", input.name, norm == "none" ? "" : ", BN", rate);
  return {{name, input.color}, [=](const Setting& setting, int64_t seed) {
            const ScalingProtocol p = scaling_protocol(setting.scale);
            TrainSpec spec;
            spec.data = {setting.data.set, setting.data.digest, input.word};
            spec.model.name = "mlp";
            spec.model.options = {{"layers", static_cast<double>(p.layers)}, {"width", static_cast<double>(p.width)}};
            spec.model.norm.kind = norm;
            spec.optimizer.lr = rate;
            spec.batch = p.batch;
            spec.steps = p.steps;
            spec.seed = seed;
            return spec;
          }};
}

}  // namespace

const Input kRaw = {"raw", "none", colors::kBlue, {1e-4, 3e-4, 1e-3, 0.01}};
const Input kMinMax = {"min-max", "min-max", colors::kGold, kScaledRates};
const Input kZScore = {"z-score", "z-score", colors::kRed, kScaledRates};
const Input kEqualize = {"equalized", "equalize", colors::kGreen, kScaledRates};
const Input kEqualizeImage = {"each image equalized", "equalize-image", colors::kPurple, kScaledRates};

const std::vector<Input>& all_inputs() {
  static const std::vector<Input> all = {kRaw, kMinMax, kZScore, kEqualize, kEqualizeImage};
  return all;
}

int64_t steps_of(Scale scale) {
  return scaling_protocol(scale).steps;
}

Window scored(const Setting& setting) {
  const int64_t steps = steps_of(setting.scale);
  return {steps / 2, steps};
}

Arm plain_arm(const Input& input, double rate) {
  return trained_on(input, "none", rate);
}
std::vector<Arm> plain_arms(const Input& input) {
  std::vector<Arm> arms;
  for (const double rate : input.rates) arms.push_back(plain_arm(input, rate));
  return arms;
}
Arm bn_arm(const Input& input) {
  return trained_on(input, "batch", kBnRate);
}
Arm looked_at(const Input& input) {
  return {{"values, " + input.name, input.color}};
}

std::vector<Arm> of_all(const std::function<Arm(const Input&)>& arm) {
  std::vector<Arm> arms;
  for (const Input& input : all_inputs()) arms.push_back(arm(input));
  return arms;
}

Plan plan(const Setting& setting) {
  Plan plan(setting);
  for (const Input& input : all_inputs()) {
    add_runs(plan, setting, plain_arms(input));
    add_runs(plan, setting, {bn_arm(input)});
  }
  for (const int64_t seed : setting.seeds) {
    for (const Input& input : all_inputs()) {
      plan.add(looked_at(input).name(), seed, "what the network gets: " + input.name,
               AnalysisSpec{"scaled-inputs", Json::object(), {plan.run(bn_arm(input).name(), seed).id}});
    }
  }
  return plan;
}

std::vector<std::string> what_was_run(const Setting& setting) {
  const ScalingProtocol p = scaling_protocol(setting.scale);
  return {fmt::format(
              "A multilayer perceptron with {} hidden layers of {} ReLU units on the pixels of {}: as they are stored "
              "(raw), min-max scaled to 0 … 1, z-scored to mean 0 and deviation 1, with their histogram equalized to 0 "
              "… 1, and with that of each image equalized for itself. All but the last are fitted on the training "
              "images, per channel. Plain SGD at a fixed rate, batch {}, {} steps, Glorot initialization, {} seed{}; "
              "all networks of a seed start from the same weights and see the same images.",
              p.layers, p.width, setting.data.title, p.batch, p.steps, setting.seeds.size(),
              setting.seeds.size() == 1 ? "" : "s"),
          fmt::format("Without BN each input has four learning rates around its best one, which were found on other "
                      "seeds (raw pixels: {}; the others: {}); they are compared each at its best. With BN in front of "
                      "every ReLU, γ, β learned, all are trained at rate {}.",
                      fmt::join(kRaw.rates, ", "), fmt::join(kScaledRates, ", "), kBnRate)};
}

/// The arm without BN whose mean accuracy over the window and the seeds is the highest: the same for all seeds.
Arm best_of(const ArmRuns& runs, const Input& input) {
  const std::vector<Arm> arms = plain_arms(input);
  const auto score = [&](const Arm& arm) {
    const double mean = mean_of(accuracy(runs, arm, scored(runs.setting())));
    return std::isfinite(mean) ? mean : -1;
  };
  return *std::max_element(arms.begin(), arms.end(), [&](const Arm& a, const Arm& b) { return score(a) < score(b); });
}

}  // namespace bnlab::inputs
