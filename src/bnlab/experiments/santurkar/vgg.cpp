#include "bnlab/experiments/santurkar/vgg.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace bnlab::santurkar {
namespace {

// The paper leaves open: whether convolutions keep their bias beside BN (here: yes, in both arms), the momentum of BN's
// running average (0.1) and its eps (1e-5), and what "activations" of a layer are: here what the ReLU gets, which is
// BN's output where there is BN.
constexpr int64_t kPaperLayers = 13;
constexpr int64_t kShownLayers[] = {2, 3, 9, 10, 11, 13};  // Fig. 1 and 2, and #10 beside its ICS
constexpr int64_t kIcsLayers[] = {5, 10};                  // Fig. 3

std::vector<int64_t> layers_at(const Protocol& p, const auto& numbers) {
  std::set<int64_t> layers;
  for (const int64_t number : numbers) layers.insert(layer_at(p, number));
  return {layers.begin(), layers.end()};
}

/// Height and width of what goes into the network.
int64_t input_size(const Protocol& p, const DataFacts& data) {
  return std::max<int64_t>(32, data.shape.size) / p.pool;
}

/// As many of the network's five max-pools as leave one place of 32/pool a side.
int64_t kept_pools(const Protocol& p) {
  return std::lround(std::log2(32 / p.pool));
}

struct Probes {
  bool moments = false, ics = false, landscape = false, path = false, theory = false;
};

TrainSpec train_spec(const Setting& setting, int64_t seed, const std::string& norm, double rate, const Probes& with) {
  const Protocol p = protocol(setting.scale);
  TrainSpec spec;
  spec.data = {setting.data.set, setting.data.digest, "z-score", input_size(p, setting.data), "none"};
  spec.data.pool = p.pool;
  spec.model.name = p.model;
  spec.model.options = {{"width", p.width}, {"pools", static_cast<double>(kept_pools(p))}};
  spec.model.norm.kind = norm;
  spec.optimizer.lr = rate;
  spec.batch = p.batch;
  spec.steps = p.steps;
  spec.seed = seed;
  const std::vector<int64_t> shown = layers_at(p, kShownLayers);
  spec.probes.push_back({"accuracy", 0, p.test_every, true, {{"split", "test"}, {"examples", p.test_examples}}});
  const Json seen = {{"layers", shown}, {"places", {"linear", "activation-input"}}};
  spec.probes.push_back({"activations", 0, p.observe_every, true, seen});
  if (with.moments) spec.probes.push_back({"moment-changes", 0, p.observe_every, false, seen});
  if (with.ics) spec.probes.push_back({"ics", 0, p.observe_every, false, {{"layers", layers_at(p, kIcsLayers)}}});
  if (with.path) spec.probes.push_back({"gradient-sketch", 0, 1, false, Json::object()});
  if (with.theory) {
    spec.probes.push_back({"bn-theory", 0, p.theory_every, false, Json::object()});
    spec.probes.push_back({"bn-curvature", 0, 2 * p.theory_every, false, {{"channels", 2}}});
  }
  if (with.landscape) {
    spec.probes.push_back(
        {"landscape", 0, p.landscape_every, false, {{"points", p.landscape_points}, {"random", true}}});
  }
  return spec;
}

Arm arm(const std::string& name, const std::string& norm, double rate, const std::string& color,
        const std::vector<int>& dash, const Probes& with) {
  return {{name, color, dash},
          [=](const Setting& setting, int64_t seed) { return train_spec(setting, seed, norm, rate, with); }};
}

// Of the two main arms, all figures want everything at the paper's rate; at others, Fig. 3 wants ICS.
Arm main_arm(const std::string& label, const std::string& norm, double rate, const std::string& color) {
  const bool main = rate == 0.1;
  const std::vector<int> dash = main         ? std::vector<int>{}
                                : rate > 0.1 ? std::vector<int>{6, 4}
                                             : std::vector<int>{2, 3};
  return arm(fmt::format("{}, rate {}", label, rate), norm, rate, color, dash,
             {.moments = main, .ics = rate <= 0.1, .landscape = main, .path = main, .theory = main && norm == "none"});
}

}  // namespace

Protocol protocol(Scale scale) {
  switch (scale) {
    case Scale::kSmoke:
      return {"vgg11", 0.0625, 2, 16, 12, 4, 100, 4, 4, 2, 4};
    case Scale::kQuick:
      // On seeds 1000 to 1004 and CIFAR-10 this is as many images as 500 steps of 128, and takes as long, but the
      // network without BN leaves its plateau (training accuracy 0.26 over the second half; of 400 steps of 128: 0.16).
      return {"vgg11", 0.25, 2, 64, 1000, 125, 500, 50, 50, 4, 100};
    case Scale::kStandard:
      return {"vgg16", 0.25, 1, 128, 3000, 250, 2000, 75, 150, 8, 150};
    case Scale::kPaper:
      return {"vgg16", 1, 1, 128, 15000, 500, 0, 150, 300, 8, 300};
  }
  throw std::logic_error("no such scale");
}

int64_t layer_at(const Protocol& protocol, int64_t number) {
  const double layers = protocol.model == "vgg11" ? 8 : kPaperLayers;
  const double depth = static_cast<double>(number) / static_cast<double>(kPaperLayers);
  return std::max<int64_t>(1, std::lround(depth * layers));
}

Arm bn(double rate) {
  return main_arm("BN", "batch", rate, "#c8553d");
}
Arm plain(double rate) {
  return main_arm("no BN", "none", rate, "#2d5d8c");
}
Arm noisy_bn() {
  return arm("noisy BN, rate 0.1", "noisy-batch", 0.1, "#8a5aa0", {}, {.moments = true, .ics = true});
}
Arm noise() {
  return arm("noise, no BN, rate 0.1", "noise", 0.1, "#5b9279", {6, 4}, {.moments = true, .ics = true});
}
Arm lp(const std::string& p) {
  const std::string color = p == "l1" ? "#5b9279" : p == "l2" ? "#c9a227" : "#8a5aa0";
  return arm(p + " norm, rate 0.1", p, 0.1, color, {}, {.moments = true, .ics = true, .landscape = true});
}

std::string in_front(const std::string& name) {
  return "linear_" + name;
}

Window second_half(const Protocol& protocol) {
  return {protocol.steps / 2, protocol.steps};
}

std::string what_was_trained(const Setting& setting) {
  const Protocol p = protocol(setting.scale);
  const int64_t stored = setting.data.shape.size, pooled = stored / p.pool, size = input_size(p, setting.data);
  std::string images;
  if (p.pool > 1)
    images += fmt::format(", reduced from {0}×{0} to {1}×{1} by means of {2}×{2} pixels", stored, pooled, p.pool);
  images += ", pixels z-scored per channel";
  if (size > pooled) images += fmt::format(", padded to {0}×{0}", size);
  return fmt::format(
      "{} at {} of its width{} with one linear layer as head, on {}{}, no augmentation. Plain SGD at a fixed rate, "
      "batch {}, {} steps, Glorot initialization; with BN after every convolution and before the ReLU (γ, β learned, "
      "ε 1e-5), and without. {} seed{}; all networks of a seed start from the same weights and see the same batches.",
      p.model == "vgg11" ? "VGG-A (8 convolutions)" : "VGG with 13 convolutions", p.width,
      kept_pools(p) < 5 ? fmt::format(" and with the first {} of its five max-pools", kept_pools(p)) : "",
      setting.data.title, images, p.batch, p.steps, setting.seeds.size(), setting.seeds.size() == 1 ? "" : "s");
}

}  // namespace bnlab::santurkar
