#include "bnlab/experiments/santurkar/dln.h"

#include <fmt/format.h>

#include "bnlab/study/curves.h"

namespace bnlab::santurkar {
namespace {

// The paper leaves open where BN stands and whether γ, β are learned, and the verdicts depend on it: here behind the
// first 24 layers, so that the last one can reach any scale, and learned; the other choices are arms of their own.
constexpr int64_t kExamples = 1000;
constexpr double kRate = 1e-6;

struct Variant {
  std::string norm;
  double rate = kRate;
  int64_t normalized = 24;
  Options norm_options = {};
  bool ics = false, landscape = false;
  bool trajectory = false;  ///< keep the weights at the observed steps
};

TrainSpec train_spec(const Setting& setting, int64_t seed, const Variant& variant) {
  const DlnProtocol p = dln_protocol(setting.scale);
  TrainSpec spec;
  spec.data = {"linear", synthetic_facts("linear", seed).digest, "none", 0, "none", seed};  // x and A of the seed's own
  spec.model.name = "dln";
  spec.model.options = {{"normalized", static_cast<double>(variant.normalized)}};
  spec.model.norm.kind = variant.norm;
  spec.model.norm.options = variant.norm_options;
  spec.model.init = "glorot-normal";
  spec.optimizer.lr = variant.rate;
  spec.batch = kExamples;
  spec.steps = p.steps;
  spec.seed = seed;
  spec.divergence_loss = std::nullopt;  // it starts near 7e4
  spec.probes.push_back({"activations", 0, p.observe_every, true, {{"layers", {1, 11, 24}}, {"images", kExamples}}});
  if (variant.ics) spec.probes.push_back({"ics", 0, p.observe_every, false, Json::object()});
  if (variant.trajectory) spec.trajectory = {"weights", p.observe_every, TrajectorySpec{}.dims};
  if (variant.landscape) {
    spec.probes.push_back(
        {"landscape", 0, p.observe_every, false, {{"near", 0.01}, {"far", 30}, {"points", 8}, {"random", true}}});
  }
  return spec;
}

Arm arm(const std::string& name, const std::string& color, const std::vector<int>& dash, const Variant& variant) {
  return {{fmt::format("DLN, {}, rate {}", name, variant.rate), color, dash},
          [=](const Setting& setting, int64_t seed) { return train_spec(setting, seed, variant); }};
}

std::vector<int> dash_at(double rate) {
  return rate == kRate ? std::vector<int>{} : std::vector<int>{2, 3};
}

}  // namespace

DlnProtocol dln_protocol(Scale scale) {
  switch (scale) {
    case Scale::kSmoke:
      return {40, 10};
    case Scale::kQuick:
      return {1000, 50};
    case Scale::kStandard:
    case Scale::kPaper:
      return {10000, 250};
  }
  throw std::logic_error("no such scale");
}

Arm dln_bn(double rate) {
  return arm("BN", "#c8553d", dash_at(rate), {.norm = "batch", .rate = rate, .ics = true, .landscape = rate == kRate});
}
Arm dln_plain(double rate) {
  return arm("no BN", "#2d5d8c", dash_at(rate),
             {.norm = "none", .rate = rate, .ics = true, .landscape = rate == kRate, .trajectory = rate == kRate});
}
Arm dln_bn_placed(int64_t normalized, bool learned) {
  return arm(fmt::format("BN behind {}, γ, β {}", normalized, learned ? "learned" : "fixed"),
             learned ? "#c8553d" : "#d98032", normalized == 25 ? std::vector<int>{6, 4} : std::vector<int>{2, 3},
             {.norm = "batch", .normalized = normalized, .norm_options = {{"affine", learned ? 1.0 : 0.0}}});
}
Arm dln_lp(const std::string& p) {
  const std::string color = p == "l1" ? "#5b9279" : p == "l2" ? "#c9a227" : "#8a5aa0";
  return arm(p + " norm", color, {}, {.norm = p, .landscape = true});
}

Window second_half(const DlnProtocol& protocol) {
  return {protocol.steps / 2, protocol.steps};
}

std::string what_dln_was_trained(const Setting& setting) {
  return fmt::format(
      "Deep linear network (DLN): 25 linear layers of 10×10 without activation and bias, in the order in which they "
      "are "
      "applied; x ~ N(0, I), 1,000 samples, target Ax with A of independent N(0, 1) entries; loss the sum of squared "
      "errors; full-batch gradient descent, {} steps, Glorot normal initialization; BN behind the first 24 layers, γ, "
      "β "
      "learned, ε 1e-5. A DLN has no activation, so that nothing but products of matrices stands between its layers.",
      dln_protocol(setting.scale).steps);
}

Figure dln_loss_figure(const std::string& id, const ArmRuns& runs, const std::vector<Arm>& arms,
                       const std::string& what_to_see) {
  return {id, "Training loss of the deep linear network",
          "Sum of squared errors over the 1,000 samples, logarithmic; line: mean over seeds, band: lowest to highest "
          "seed. " +
              what_to_see,
          band_chart(loss_curves(runs, arms), styles_of(arms), "training step", "loss", {.log_y = true})};
}

}  // namespace bnlab::santurkar
