#include "bnlab/experiments/im/im.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace bnlab::im {
namespace {

// Chosen on seed 1000: of rates about three apart, one at which an optimizer trains well in all four networks.
const Optimizer kSgd = {"SGD", "sgd", 0.15, colors::kBlue}, kAdam = {"Adam", "adam", 0.003, colors::kRed},
                kMomentum = {"momentum", "momentum", 0.02, colors::kGreen},
                kRmsprop = {"RMSprop", "rmsprop", 0.003, colors::kGold},
                kAdadelta = {"Adadelta", "adadelta", 1, colors::kPurple},
                kSlowerSgd = {"SGD × 0.8", "sgd", 0.12, colors::kBlue, {6, 4}};

TrainSpec train_spec(const Setting& setting, int64_t seed, const Net& net, const Optimizer& optimizer) {
  const Protocol p = protocol(setting.scale);
  TrainSpec spec;
  spec.data = {setting.data.set, setting.data.digest};
  spec.data.pool = p.pool;
  spec.model.name = net.model;
  spec.model.options = {{"width", net.model == "nin" ? p.nin_width : p.vgg_width}};
  if (net.model == "vgg11") {
    const int64_t size = std::max<int64_t>(32, setting.data.shape.size) / p.pool;
    spec.data.pad_to = size;
    spec.model.options["pools"] = std::min(5.0, std::floor(std::log2(static_cast<double>(size))));
  }
  spec.model.norm.kind = net.bn ? "batch" : "none";
  spec.optimizer.name = optimizer.kind;
  spec.optimizer.lr = optimizer.rate;
  spec.batch = p.batch;
  spec.steps = steps_of(net, setting.scale);
  spec.seed = seed;
  return spec;
}

}  // namespace

Protocol protocol(Scale scale) {
  switch (scale) {
    case Scale::kSmoke:
      return {0.0625, 0.0625, 2, 16, 12, 16, 32, 4, 7};
    case Scale::kQuick:
      return {0.125, 0.125, 2, 32, 600, 700, 250, 10, 13};
    case Scale::kStandard:
      return {0.25, 0.25, 1, 128, 4000, 4000, 2000, 20, 25};
    case Scale::kPaper:
      return {1, 1, 1, 128, 40000, 40000, 2000, 40, 49};
  }
  throw std::logic_error("no such scale");
}

const std::vector<Net>& nets() {
  static const std::vector<Net> all = {{"NiN", "nin", "nin", true},
                                       {"NiN", "nin", "nin", false},
                                       {"VGG", "vgg", "vgg11", true},
                                       {"VGG", "vgg", "vgg11", false}};
  return all;
}

std::string claim_id(const std::string& what, const Net& net) {
  return what + "-" + net.id + (net.bn ? "-bn" : "-plain");
}

const std::vector<Optimizer>& optimizers() {
  static const std::vector<Optimizer> all = {kSgd, kAdam, kMomentum, kRmsprop, kAdadelta};
  return all;
}

bool has_control(const Net& net) {
  return net.model == "nin";
}

std::vector<Optimizer> trained_in(const Net& net) {
  std::vector<Optimizer> all = optimizers();
  if (has_control(net)) all.push_back(kSlowerSgd);
  return all;
}

Arm trained(const Net& net, const Optimizer& optimizer) {
  return {{net.label() + ", " + optimizer.name, optimizer.color, optimizer.dash},
          [=](const Setting& setting, int64_t seed) { return train_spec(setting, seed, net, optimizer); }};
}

std::vector<Arm> trained_arms(const Net& net) {
  std::vector<Arm> arms;
  for (const Optimizer& optimizer : optimizers()) arms.push_back(trained(net, optimizer));
  return arms;
}

Arm surfaces(const Net& net) {
  return {{net.label() + ", surfaces", net.bn ? colors::kRed : colors::kBlue}};
}

Plan plan(const Setting& setting) {
  const Protocol p = protocol(setting.scale);
  Plan plan(setting);
  for (const Net& net : nets()) {
    std::vector<Arm> arms;
    for (const Optimizer& optimizer : trained_in(net)) arms.push_back(trained(net, optimizer));
    add_runs(plan, setting, arms);
    for (const int64_t seed : setting.seeds) {
      std::vector<std::string> inputs;
      for (const Arm& arm : arms) inputs.push_back(plan.run(arm.name(), seed).id);
      // Planes are pictures, of the first seed alone.
      const int64_t side = seed == setting.seeds.front() ? p.side : 0;
      plan.add(surfaces(net).name(), seed, "surfaces between the ends of " + net.label(),
               AnalysisSpec{"loss-surfaces", {{"images", p.images}, {"parts", p.parts}, {"side", side}}, inputs});
    }
  }
  return plan;
}

int64_t steps_of(const Net& net, Scale scale) {
  return net.model == "nin" ? protocol(scale).nin_steps : protocol(scale).vgg_steps;
}

Window scored(const Net& net, const Setting& setting) {
  const int64_t steps = steps_of(net, setting.scale);
  return {steps / 2, steps};
}

Evidence on_surfaces(const ArmRuns& runs, const std::vector<Net>& of, const PerSeed& effects) {
  std::vector<Arm> arms, of_training;
  for (const Net& net : of) {
    for (const Arm& arm : trained_arms(net)) of_training.push_back(arm);
    arms.push_back(surfaces(net));
  }
  arms.insert(arms.end(), of_training.begin(), of_training.end());
  return paired(runs, arms, {learned(runs, of_training, scored(of.front(), runs.setting()))}, effects);
}

std::vector<double> recorded_line(RunReader& run, size_t layer, const std::string& name) {
  const auto records = run.arrays({"loss-surfaces", static_cast<int64_t>(layer), name});
  return records.empty() ? std::vector<double>() : records.front().as_doubles();
}

std::vector<double> loss_between(RunReader& run, size_t i, size_t j) {
  return recorded_line(run, i + 1, fmt::format("to_{}_loss", j + 1));
}

std::vector<double> loss_from_start(RunReader& run, size_t i) {
  return recorded_line(run, i + 1, "from_start_loss");
}

double barrier(const std::vector<double>& loss) {
  if (loss.size() < 2) return NAN;
  double highest = 0;
  for (size_t k = 0; k < loss.size(); ++k) {
    const double t = static_cast<double>(k) / static_cast<double>(loss.size() - 1);
    raise_to(highest, loss[k] - ((1 - t) * loss.front() + t * loss.back()));
  }
  return highest / (0.5 * (loss.front() + loss.back()));
}

std::vector<std::string> what_was_run(const Setting& setting) {
  const Protocol p = protocol(setting.scale);
  std::vector<std::string> rates;
  for (const Optimizer& optimizer : trained_in(nets().front()))
    rates.push_back(fmt::format("{} {}", optimizer.name, optimizer.rate));
  const std::string images = p.pool == 1 ? "" : fmt::format(", reduced to means of {0}×{0} pixels", p.pool);
  return {
      fmt::format(
          "Network in Network (nine convolutions, {} of its width) and VGG-A (eight, {}), with BN before every "
          "ReLU and without, on {}{}, pixels z-scored, Glorot initialization, batch {}, {} and {} steps, {} seed{}. "
          "Each is trained by five optimizers at fixed rates ({}), from the same initial weights and on the "
          "same batches in the same order for a seed. Of the paper's optimizers the Runge-Kutta variant is "
          "left out. Ours is the sixth run of the first network: SGD again, a little slower, to see how far apart so "
          "small a "
          "change leads.",
          p.nin_width, p.vgg_width, setting.data.title, images, p.batch, p.nin_steps, p.vgg_steps, setting.seeds.size(),
          setting.seeds.size() == 1 ? "" : "s", fmt::join(rates, ", ")),
      how_measured(setting)};
}

std::string how_measured(const Setting& setting) {
  const Protocol p = protocol(setting.scale);
  return fmt::format(
      "The weights of two finished networks are mixed, (1 − t) of the first and t of the second, and the mixture's "
      "mean "
      "cross-entropy measured on {} training images at every {} of t. With BN each layer is normalized by the mean and "
      "variance of these very images in the mixed network: statistics are measured anew at every point, never mixed.",
      p.images, 1.0 / static_cast<double>(p.parts));
}

}  // namespace bnlab::im
