#include "bnlab/probes/bn_theory.h"

#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>

#include "bnlab/numerics/eigenvalues.h"
#include "bnlab/numerics/mean_loss.h"
#include "bnlab/probes/bn_twin.h"
#include "bnlab/probes/by_channel.h"
#include "bnlab/probes/layer_weights.h"
#include "bnlab/probes/probe.h"

namespace bnlab {
namespace {

constexpr double kResidual = 1e-3;
constexpr int64_t kMostProducts = 50;

/// The largest singular value of a layer's linear map as a function of its weights, w -> X w, and so of the matrix X of
/// its inputs (of a convolution: of the patches that it sees). `input`: what the layer gets.
SingularValue input_norm(SequentialNetwork& network, int64_t number, const at::Tensor& input,
                         const LayerParameters& layer) {
  const std::vector<at::Tensor> all = network.parameters();
  const at::Tensor& weight = all[layer.weight];
  std::vector<at::Tensor> others, zeros;
  for (const size_t place : layer.all) {
    if (place == layer.weight) continue;
    others.push_back(all[place]);
    zeros.push_back(at::zeros_like(all[place]));
  }
  const auto gram = [&](std::span<const double> in, std::span<double> out) {  // XᵀX v
    at::AutoGradMode grad(true);  // whoever asks for the product works without
    at::Tensor v = at::empty(weight.sizes(), at::kDouble);
    std::copy(in.begin(), in.end(), v.data_ptr<double>());
    const WithValues without_others(others, zeros), with_v({weight}, {v.to(weight.scalar_type())});
    at::Tensor image;  // X v
    network.forward_layer(number, input, [&](int64_t, TapPoint point, at::Tensor& value) {
      if (point == TapPoint::kLinear) image = value;
    });
    const auto back = flattened(torch::autograd::grad({image}, {weight}, {image.detach()}));
    std::copy(back.begin(), back.end(), out.begin());
  };
  return largest_singular_value({weight.numel(), gram}, {.tolerance = kResidual, .most_products = kMostProducts});
}

/// value / scale, and 0/0 = 0: where nothing behind a channel is alive, there is nothing to err by.
at::Tensor relative(const at::Tensor& value, const at::Tensor& scale) {
  return at::where(value.eq(0), at::zeros_like(value), value / scale);
}

double share_of(const at::Tensor& truths) {
  return truths.to(at::kDouble).mean().item<double>();
}

/// For each layer: two passes with gradients, one without, and a power iteration on that layer alone.
double cost(const Json& json, const ProbeSetting& setting) {
  constexpr double kIterations = 20;  // a guess
  const auto layers = static_cast<double>(json.at("layers").size());
  return layers * (7.0 / 3 + kIterations / static_cast<double>(setting.network.layers));
}

class BnTheory : public Probe {
 public:
  explicit BnTheory(const ProbeSpec& spec)
      : Probe(spec), layers_(spec.parameters.at("layers").get<std::vector<int64_t>>()) {}

  void observe(const StepView& view) override {
    NoTrace no_trace(view.network);
    at::AutoGradMode grad(true);
    auto& network = dynamic_cast<SequentialNetwork&>(view.network);
    const std::vector<LayerParameters> parameters = layer_parameters(network);
    at::Tensor input = view.batch.x;
    for (int64_t number = 1; number <= network.layers(); ++number) {
      const LayerParameters& layer = parameters[static_cast<size_t>(number - 1)];
      if (std::find(layers_.begin(), layers_.end(), number) != layers_.end()) {
        observe_layer(view, number, network.parameters()[layer.weight], input_norm(network, number, input, layer));
      }
      at::NoGradGuard no_grad;
      input = network.forward_layer(number, input, {});
    }
  }

 private:
  static void observe_layer(const StepView& view, int64_t layer, const at::Tensor& weight,
                            const SingularValue& lambda) {
    const TwinPass plain = plain_pass(view, layer);
    const at::Tensor g_plain = torch::autograd::grad({plain.loss}, {plain.y}).front();
    const TwinPass twin = twin_pass(view, layer);
    const auto gradients = torch::autograd::grad({twin.loss}, {twin.y, twin.z, weight});
    const at::Tensor yhat = by_channel(twin.yhat), sigma = by_channel(twin.sigma).flatten();
    const double constant = sigma.eq(0).sum().item<double>();
    view.recorder.scalar(view.step, layer, "constant_channels", constant);
    if (constant > 0) return;
    const TwinPass same = same_twin_pass(view, layer);

    const auto m = static_cast<double>(yhat.size(1));
    const auto right_side = [&](const at::Tensor& gradient) {
      const at::Tensor g = by_channel(gradient);
      return (g.square().sum(1) - g.sum(1).square() / m - (g * yhat).sum(1).square() / m) / sigma.square();
    };
    const at::Tensor left = by_channel(gradients[0]).square().sum(1);
    const at::Tensor bound = right_side(g_plain), scale = by_channel(gradients[1]).square().sum(1) / sigma.square();
    const at::Tensor error = relative((left - right_side(gradients[1])).abs(), scale);
    view.recorder.array(view.step, layer, "gradient", as_vector(left));
    view.recorder.array(view.step, layer, "bound", as_vector(bound));
    view.recorder.scalar(view.step, layer, "identity_error", error.max().item<double>());
    view.recorder.scalar(view.step, layer, "holds", share_of(left.le(bound)));
    const double loss = plain.loss.item<double>();
    view.recorder.scalar(view.step, layer, "twin_error", std::abs(same.loss.item<double>() - loss) / loss);

    const at::Tensor of_filters = gradients[2].to(at::kDouble).flatten(1).square().sum(1);
    const double lambda2 = lambda.value * lambda.value;
    view.recorder.array(view.step, layer, "weight_gradient", as_vector(of_filters));
    view.recorder.scalar(view.step, layer, "weight_holds", share_of(of_filters.le(lambda2 * bound)));
    view.recorder.scalar(view.step, layer, "weight_worst", relative(of_filters, lambda2 * left).max().item<double>());
    view.recorder.scalar(view.step, layer, "lambda", lambda.value);
    view.recorder.scalar(view.step, layer, "lambda_residual", lambda.residual);
    view.recorder.scalar(view.step, layer, "lambda_converged", lambda.converged ? 1 : 0);
  }

  std::vector<int64_t> layers_;
};

}  // namespace

ProbeKind bn_theory_probe() {
  return {"bn-theory", "both sides of Santurkar's Theorems 4.1 and 4.4, on the network and its twin with one BN layer",
          [](const Json& json, const std::string& where, const ProbeSetting& setting) {
            std::vector<int64_t> layers;
            JsonFields fields(json, where);
            fields.optional("layers", layers).finish();
            check_layers(layers, setting.network.layers, where + ".layers");
            check_sequential("bn-theory", where, setting);
            return Json{{"layers", all_if_empty(layers, setting.network.layers)}};
          },
          [](const ProbeSpec& spec, const ProbeSetting&) { return std::make_unique<BnTheory>(spec); }, cost};
}

}  // namespace bnlab
