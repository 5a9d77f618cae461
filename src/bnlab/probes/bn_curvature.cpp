#include "bnlab/probes/bn_curvature.h"

#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>

#include "bnlab/probes/bn_twin.h"
#include "bnlab/probes/by_channel.h"
#include "bnlab/probes/layer_weights.h"
#include "bnlab/probes/probe.h"
#include "bnlab/record/statistics.h"

namespace bnlab {
namespace {

struct CurvatureParameters {
  std::vector<int64_t> layers;
  int64_t channels = 4;
};

CurvatureParameters parse_curvature(const Json& json, const std::string& where) {
  CurvatureParameters parameters;
  JsonFields fields(json, where);
  fields.optional("layers", parameters.layers).optional("channels", parameters.channels);
  fields.check(parameters.channels >= 1, "channels", "at least 1");
  fields.finish();
  return parameters;
}

/// A loss's gradient with respect to values inside the network, differentiable once more.
struct Gradient {
  at::Tensor values, value;

  /// The gradient itself in one channel, in double.
  at::Tensor in(int64_t channel) const { return by_channel(value.narrow(1, channel, 1)).flatten(); }

  /// The channel's block of the Hessian times `v`, in double; v: (m), in the channel's order.
  at::Tensor hessian_times(int64_t channel, const at::Tensor& v) const {
    const at::Tensor part = value.narrow(1, channel, 1);
    const at::Tensor direction = v.to(part.scalar_type()).view_as(part);
    const at::Tensor hessian_v =
        torch::autograd::grad({(part * direction).sum()}, {values}, {}, /*retain_graph=*/true)[0];
    return by_channel(hessian_v.narrow(1, channel, 1)).flatten();
  }
};

/// The gradients with respect to each of `values`, from one backward pass.
std::vector<Gradient> gradients_of(const at::Tensor& loss, const std::vector<at::Tensor>& values) {
  const auto found = torch::autograd::grad({loss}, values, {}, /*retain_graph=*/true, /*create_graph=*/true);
  std::vector<Gradient> gradients;
  for (size_t i = 0; i < values.size(); ++i) gradients.push_back({values[i], found[i]});
  return gradients;
}

double product(const at::Tensor& a, const at::Tensor& b) {
  return a.dot(b).item<double>();
}

/// Of one channel.
struct Sides {
  double curvature, identity, first, second;
  double scale;  ///< that rounding errors of curvature and identity are relative to
  bool precondition;
};

Sides sides_of(int64_t channel, const Gradient& twin_y, const Gradient& twin_z, const Gradient& plain,
               const TwinPass& twin) {
  const at::Tensor yhat = by_channel(twin.yhat.narrow(1, channel, 1)).flatten();
  const double sigma2 = std::pow(twin.sigma.select(1, channel).item<double>(), 2);
  const auto m = static_cast<double>(yhat.numel());
  const at::Tensor v = twin_y.in(channel), g = plain.in(channel);
  const double v2 = product(v, v), g2 = product(g, g);
  const at::Tensor hz_v = twin_z.hessian_times(channel, v);
  const double vhv = product(v, plain.hessian_times(channel, v)), ghg = product(g, plain.hessian_times(channel, g));
  const double second_term = product(twin_z.in(channel), yhat) * v2 / (m * sigma2);
  const double printed_term = product(g, yhat) * v2 / (m * sigma2);
  Sides sides{};
  sides.curvature = product(v, twin_y.hessian_times(channel, v));
  sides.identity = product(v, hz_v) / sigma2 - second_term;
  sides.first = vhv / sigma2 - printed_term;
  sides.second = ghg / sigma2 - printed_term;
  sides.scale = std::sqrt(v2 * product(hz_v, hz_v)) / sigma2 + std::abs(second_term);
  sides.precondition = (vhv <= ghg) == (v2 <= g2);
  return sides;
}

/// A forward pass; then for each layer, of the network from there on, two passes with a gradient that can be
/// differentiated, and for each channel four backward passes of second order, each as long as two plain ones.
double curvature_cost(const Json& json, const ProbeSetting& setting) {
  const CurvatureParameters parameters = parse_curvature(json, "parameters");
  constexpr double kForward = 1.0 / 3, kBackward = 2.0 / 3;
  const double of_layer = 2 * (kForward + kBackward) + static_cast<double>(parameters.channels) * 4 * 2 * kBackward;
  double sum = kForward;
  for (const int64_t layer : parameters.layers) sum += of_layer * share_from(layer, setting.network.layers);
  return sum;
}

class BnCurvature : public Probe {
 public:
  explicit BnCurvature(const ProbeSpec& spec)
      : Probe(spec), parameters_(parse_curvature(spec.parameters, "parameters")) {}

  void observe(const StepView& view) override {
    NoTrace no_trace(view.network);
    at::AutoGradMode grad(true);
    auto& network = dynamic_cast<SequentialNetwork&>(view.network);
    const std::vector<at::Tensor> inputs = layer_inputs(network, view.batch.x);
    for (const int64_t layer : parameters_.layers) {
      observe_layer(view, {network, layer, inputs[static_cast<size_t>(layer - 1)], view.batch.y});
    }
  }

 private:
  void observe_layer(const StepView& view, const NetworkEnd& end) const {
    const TwinPass twin = twin_pass(end), plain = plain_pass(end);
    if (twin.sigma.eq(0).any().item<bool>()) return;
    const auto of_twin = gradients_of(twin.loss, {twin.y, twin.z}), of_plain = gradients_of(plain.loss, {plain.y});
    const int64_t all = twin.y.size(1), count = std::min(parameters_.channels, all);
    std::vector<Sides> sides;
    for (int64_t i = 0; i < count; ++i) {
      sides.push_back(sides_of(i * all / count, of_twin[0], of_twin[1], of_plain[0], twin));
    }
    record(view, end.layer, sides);
  }

  static void record(const StepView& view, int64_t layer, const std::vector<Sides>& sides) {
    std::vector<double> curvature, identity, first, second, precondition;
    double worst = 0, first_holds = 0, second_holds = 0, meets = 0;
    for (const Sides& s : sides) {
      curvature.push_back(s.curvature);
      identity.push_back(s.identity);
      first.push_back(s.first);
      second.push_back(s.second);
      precondition.push_back(s.precondition ? 1 : 0);
      const double difference = std::abs(s.curvature - s.identity);
      raise_to(worst, difference == 0 ? 0 : difference / s.scale);
      first_holds += s.curvature <= s.first ? 1 : 0;
      second_holds += s.precondition && s.curvature <= s.second ? 1 : 0;
      meets += s.precondition ? 1 : 0;
    }
    const auto count = static_cast<double>(sides.size());
    view.recorder.array(view.step, layer, "curvature", curvature);
    view.recorder.array(view.step, layer, "identity", identity);
    view.recorder.array(view.step, layer, "first", first);
    view.recorder.array(view.step, layer, "second", second);
    view.recorder.array(view.step, layer, "precondition", precondition);
    view.recorder.scalar(view.step, layer, "identity_error", worst);
    view.recorder.scalar(view.step, layer, "first_holds", first_holds / count);
    view.recorder.scalar(view.step, layer, "meets_precondition", meets / count);
    if (meets > 0) view.recorder.scalar(view.step, layer, "second_holds", second_holds / meets);
  }

  CurvatureParameters parameters_;
};

}  // namespace

ProbeKind bn_curvature_probe() {
  return {"bn-curvature", "both sides of Santurkar's Theorem 4.2, on the network and its twin with one BN layer",
          [](const Json& json, const std::string& where, const ProbeSetting& setting) {
            const CurvatureParameters parameters = parse_curvature(json, where);
            check_sequential("bn-curvature", where, setting);
            check_layers(parameters.layers, setting.network.layers, where + ".layers");
            return Json{{"layers", all_if_empty(parameters.layers, setting.network.layers)},
                        {"channels", parameters.channels}};
          },
          [](const ProbeSpec& spec, const ProbeSetting&) { return std::make_unique<BnCurvature>(spec); },
          curvature_cost};
}

}  // namespace bnlab
