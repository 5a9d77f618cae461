#include "bnlab/experiments/bjorck/bjorck.h"

#include <fmt/format.h>

namespace bnlab::bjorck {

DeepNetwork deep_network(Scale scale) {
  switch (scale) {
    case Scale::kSmoke:
      return {"resnet20", 19, 2, 16};
    case Scale::kQuick:
      return {"resnet110", 109, 2, 64};
    case Scale::kStandard:
    case Scale::kPaper:
      return {"resnet110", 109, 1, 128};
  }
  throw std::logic_error("no such scale");
}

TrainSpec first_steps(const Setting& setting, int64_t seed, bool bn, double rate, int64_t steps) {
  const DeepNetwork p = deep_network(setting.scale);
  TrainSpec spec;
  spec.data = {setting.data.set, setting.data.digest};
  spec.data.pool = p.pool;
  spec.model.name = p.model;
  spec.model.norm.kind = bn ? "batch" : "none";
  spec.optimizer.name = "momentum";
  spec.optimizer.options = {{"momentum", 0.9}};
  spec.optimizer.lr = rate;
  spec.optimizer.weight_decay = 5e-4;
  spec.batch = p.batch;
  spec.steps = steps;
  spec.seed = seed;
  return spec;
}

std::string what_was_started(const Setting& setting) {
  const DeepNetwork p = deep_network(setting.scale);
  const std::string images = p.pool == 1 ? "" : fmt::format(", images reduced to means of {0}×{0} pixels", p.pool);
  return fmt::format(
      "{} ({} convolutions of 16, 32 and 64 channels, shortcuts without parameters) with BN before every ReLU and "
      "without, on {}{}, pixels z-scored per channel, Glorot (Xavier) initialization, batches of {}. {} seed{}; both "
      "networks of a seed start from the same weights and see the same batches.",
      p.model == "resnet110" ? "ResNet-110" : "ResNet-20", p.layers, setting.data.title, images, p.batch,
      setting.seeds.size(), setting.seeds.size() == 1 ? "" : "s");
}

}  // namespace bnlab::bjorck
