#include "bnlab/probes/bn_theory.h"

#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "bnlab/probes/layer_weights.h"
#include "bnlab/probes/probe.h"

namespace bnlab {
namespace {

/// Values of a layer as (C, m) in double: a row a channel.
at::Tensor by_channel(const at::Tensor& values) {
  return values.detach().to(at::kDouble).transpose(0, 1).flatten(1);
}

/// A pass of the network with its layer's y as a leaf, and BN put behind it.
struct TwinPass {
  at::Tensor y, z, loss;
};

/// bn(y) gives z; undefined for the plain network.
TwinPass pass(const StepView& view, int64_t wanted, const std::function<at::Tensor(const at::Tensor&)>& bn) {
  TwinPass result;
  const at::Tensor logits = view.network.forward(view.batch.x, [&](int64_t layer, TapPoint point, at::Tensor& value) {
    if (layer != wanted || point != TapPoint::kLinear) return;
    result.y = value.detach().requires_grad_();
    result.z = bn ? bn(result.y) : result.y;
    value = result.z;
  });
  result.loss = batch_loss(logits, view.batch.y);
  return result;
}

std::vector<double> as_vector(const at::Tensor& values) {
  const at::Tensor dense = values.contiguous();
  return {dense.data_ptr<double>(), dense.data_ptr<double>() + dense.numel()};
}

class BnTheory : public Probe {
 public:
  explicit BnTheory(const ProbeSpec& spec)
      : Probe(spec), layers_(spec.parameters.at("layers").get<std::vector<int64_t>>()) {}

  void observe(const StepView& view) override {
    NoTrace no_trace(view.network);
    at::AutoGradMode grad(true);
    for (const int64_t layer : layers_) observe_layer(view, layer);
  }

 private:
  static void observe_layer(const StepView& view, int64_t layer) {
    const TwinPass plain = pass(view, layer, {});
    const at::Tensor g_plain = torch::autograd::grad({plain.loss}, {plain.y}).front();

    std::vector<int64_t> dims = {0};
    for (int64_t d = 2; d < plain.y.dim(); ++d) dims.push_back(d);
    at::Tensor mean, sigma;
    const auto normalized = [&](const at::Tensor& y) {
      mean = y.mean(dims, /*keepdim=*/true);
      sigma = (y - mean).square().mean(dims, /*keepdim=*/true).sqrt();
      return (y - mean) / sigma;
    };
    const TwinPass twin = pass(view, layer, normalized);
    const auto gradients = torch::autograd::grad({twin.loss}, {twin.y, twin.z});
    const TwinPass same = pass(view, layer, [&](const at::Tensor& y) {
      const at::Tensor yhat = normalized(y);
      return yhat * sigma.detach() + mean.detach();
    });

    const at::Tensor yhat = by_channel(twin.z), s = by_channel(sigma).flatten();
    const auto m = static_cast<double>(yhat.size(1));
    const auto right_side = [&](const at::Tensor& gradient) {
      const at::Tensor g = by_channel(gradient);
      return (g.square().sum(1) - g.sum(1).square() / m - (g * yhat).sum(1).square() / m) / s.square();
    };
    const at::Tensor left = by_channel(gradients[0]).square().sum(1);
    const at::Tensor bound = right_side(g_plain), scale = by_channel(gradients[1]).square().sum(1) / s.square();
    const at::Tensor error = (left - right_side(gradients[1])).abs() / scale;
    view.recorder.array(view.step, layer, "gradient", as_vector(left));
    view.recorder.array(view.step, layer, "bound", as_vector(bound));
    view.recorder.scalar(view.step, layer, "identity_error", error.max().item<double>());
    view.recorder.scalar(view.step, layer, "holds", left.le(bound).to(at::kDouble).mean().item<double>());
    const double loss = plain.loss.item<double>();
    view.recorder.scalar(view.step, layer, "twin_error", std::abs(same.loss.item<double>() - loss) / loss);
  }

  std::vector<int64_t> layers_;
};

}  // namespace

ProbeKind bn_theory_probe() {
  return {"bn-theory", "both sides of Santurkar's Theorem 4.1, on the network and its twin with one BN layer",
          [](const Json& json, const std::string& where, const ProbeSetting& setting) {
            std::vector<int64_t> layers;
            JsonFields fields(json, where);
            fields.optional("layers", layers).finish();
            check_layers(layers, setting.layers, where + ".layers");
            return Json{{"layers", all_if_empty(layers, setting.layers)}};
          },
          [](const ProbeSpec& spec, const ProbeSetting&) { return std::make_unique<BnTheory>(spec); }};
}

}  // namespace bnlab
