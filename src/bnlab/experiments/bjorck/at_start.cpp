#include "bnlab/experiments/bjorck/at_start.h"

#include <fmt/format.h>

#include <cmath>
#include <numeric>
#include <stdexcept>

namespace bnlab::bjorck {
namespace {

TrainSpec start_spec(const Setting& setting, int64_t seed, bool bn) {
  constexpr double kRate = 1e-6;           // of the one step, which is made after the look
  constexpr int64_t kMostElements = 4097;  // of a layer of 9,216
  const DeepNetwork p = deep_network(setting.scale);
  TrainSpec spec = first_steps(setting, seed, bn, kRate, 1);
  spec.divergence_loss = std::nullopt;  // without BN the first loss is huge: that is what is looked at
  std::vector<int64_t> seen, all(static_cast<size_t>(p.layers));
  std::iota(all.begin(), all.end(), 1);
  for (const SeenLayer& layer : seen_layers(setting.scale)) seen.push_back(layer.number);
  const auto once = [](const char* probe, const Json& parameters) { return ProbeSpec{probe, 0, 1, false, parameters}; };
  spec.probes = {
      once("gradient-distribution", {{"layers", seen}, {"per_mille", kTailCuts}, {"quantiles", kMostElements}}),
      once("gradient-terms", {{"layers", seen}}), once("output-gradients", Json::object()),
      once("moments-by-depth", {{"layers", all}, {"images", p.batch}, {"places", {"linear", "output"}}})};
  return spec;
}

Arm start_arm(const char* name, const char* color, bool bn) {
  return {{name, color}, [bn](const Setting& setting, int64_t seed) { return start_spec(setting, seed, bn); }};
}

}  // namespace

const StartArms& at_start() {
  static const StartArms arms = {start_arm("BN", colors::kRed, true), start_arm("no BN", colors::kBlue, false)};
  return arms;
}

std::vector<SeenLayer> seen_layers(Scale scale) {
  const DeepNetwork p = deep_network(scale);
  return {{"low", p.low()}, {"middle", p.middle()}, {"high", p.high()}};
}

SeenLayer seen_layer(Scale scale, const std::string& name) {
  for (const SeenLayer& layer : seen_layers(scale)) {
    if (layer.name == name) return layer;
  }
  throw std::logic_error("no layer is called " + name);
}

PerSeed at_step_0(const ArmRuns& runs, const Arm& arm, const Key& key) {
  return each(runs, arm, [&](RunReader& run) { return run.scalar_at(key, 0).value_or(NAN); });
}

Precondition signal_arrives(const ArmRuns& runs, const std::vector<Arm>& arms, const std::vector<Key>& keys) {
  double least = INFINITY, most = 0;
  for (const Arm& arm : arms) {
    for (const Key& key : keys) {
      for (const double value : at_step_0(runs, arm, key)) {
        lower_to(least, value);
        raise_to(most, value);
      }
    }
  }
  return {"signal-arrives", least > 0 && std::isfinite(most),
          fmt::format("smallest value {:.2g}, largest {:.2g} (asked: above 0, and finite)", least, most)};
}

}  // namespace bnlab::bjorck
