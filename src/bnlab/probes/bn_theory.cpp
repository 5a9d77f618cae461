#include "bnlab/probes/bn_theory.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "bnlab/numerics/eigenvalues.h"
#include "bnlab/probes/bn_twin.h"
#include "bnlab/probes/layer_weights.h"
#include "bnlab/probes/probe.h"

namespace bnlab {
namespace {

constexpr double kResidual = 1e-3;
constexpr int64_t kMostProducts = 50;

/// w -> X w for one filter, with X the matrix of what a layer's linear map sees: of a convolution, of patches.
struct InputMap {
  std::vector<int64_t> filter;  ///< sizes of w, the first 1
  std::function<at::Tensor(const at::Tensor& w)> apply;
};

InputMap input_map(torch::nn::Module& layer, const at::Tensor& input) {
  for (const auto& module : layer.modules()) {
    if (const auto* linear = module->as<torch::nn::Linear>()) {
      const at::Tensor rows = input.flatten(1);
      return {{1, linear->weight.size(1)}, [rows](const at::Tensor& w) { return at::linear(rows, w); }};
    }
    if (const auto* conv = module->as<torch::nn::Conv2d>()) {
      const auto& options = conv->options;
      const auto* padding = get_if<torch::ExpandingArray<2>>(&options.padding());
      TORCH_CHECK(padding && options.groups() == 1,
                  "bn-theory: expected convolutions with one group and padding by numbers; leave others out of "
                  "\"layers\"");
      return {{1, conv->weight.size(1), conv->weight.size(2), conv->weight.size(3)},
              [input, options, padding = *padding](const at::Tensor& w) {
                return at::conv2d(input, w, {}, *options.stride(), *padding, *options.dilation());
              }};
    }
  }
  TORCH_CHECK(false, "bn-theory: expected layers with a convolution or linear map; leave others out of \"layers\"");
}

/// The largest singular value of X. (All filters see the same X: the norm of the map of all weights is that of one's.)
SingularValue input_norm(const NetworkEnd& end) {
  const InputMap map = input_map(end.network.layer(end.layer), end.input);
  const at::Tensor w = at::zeros(map.filter, end.input.options()).set_requires_grad(true);
  const auto gram = [&](std::span<const double> in, std::span<double> out) {  // XᵀX v
    const at::Tensor v = at::empty(map.filter, at::kDouble);
    std::copy(in.begin(), in.end(), v.data_ptr<double>());
    {
      at::NoGradGuard no_grad;
      w.copy_(v);
    }
    at::AutoGradMode grad(true);  // whoever asks for the product works without
    const at::Tensor image = map.apply(w);
    const auto back = as_vector(torch::autograd::grad({image}, {w}, {image.detach()}).front().to(at::kDouble));
    std::copy(back.begin(), back.end(), out.begin());
  };
  return largest_singular_value({w.numel(), gram}, {.tolerance = kResidual, .most_products = kMostProducts});
}

/// The sum of each channel's values (N, C, …), in double: (C).
at::Tensor sums(const at::Tensor& values) {
  std::vector<int64_t> dims = {0};
  for (int64_t d = 2; d < values.dim(); ++d) dims.push_back(d);
  return values.sum(dims, /*keepdim=*/false, at::kDouble);
}

/// value / scale, and 0/0 = 0: where nothing behind a channel is alive, there is nothing to err by.
at::Tensor relative(const at::Tensor& value, const at::Tensor& scale) {
  return at::where(value.eq(0), at::zeros_like(value), value / scale);
}

double share_of(const at::Tensor& truths) {
  return truths.to(at::kDouble).mean().item<double>();
}

/// A step; then for each layer, of the network from there on, another and a forward pass, and the norm of its inputs.
double theory_cost(const Json& json, const ProbeSetting& setting) {
  constexpr double kNorm = 0.4;  // a guess
  double sum = 1;
  for (const auto layer : json.at("layers").get<std::vector<int64_t>>()) {
    sum += 4.0 / 3 * share_from(layer, setting.network.layers) + kNorm;
  }
  return sum;
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
    const Plain plain = plain_network(network, view);
    for (size_t i = 0; i < layers_.size(); ++i) {
      const auto place = static_cast<size_t>(layers_[i] - 1);
      const NetworkEnd end{network, layers_[i], plain.inputs[place], view.batch.y};
      observe_layer(view, end, plain.gradients[i], plain.loss, network.parameters()[parameters[place].weight]);
    }
  }

 private:
  /// One pass of the network itself.
  struct Plain {
    std::vector<at::Tensor> inputs;     ///< of layers 1 …
    std::vector<at::Tensor> gradients;  ///< with respect to y of each of layers_
    double loss;
  };

  Plain plain_network(SequentialNetwork& network, const StepView& view) const {
    Plain plain;
    std::vector<at::Tensor> ys;
    at::Tensor x = view.batch.x;
    for (int64_t number = 1; number <= network.layers(); ++number) {
      plain.inputs.push_back(x.detach());
      x = network.forward_layer(number, x, [&](int64_t, TapPoint point, at::Tensor& y) {
        if (point == TapPoint::kLinear) ys.push_back(y);
      });
    }
    const at::Tensor loss = batch_loss(network.forward_head(x), view.batch.y);
    std::vector<at::Tensor> wanted;
    for (const int64_t layer : layers_) wanted.push_back(ys[static_cast<size_t>(layer - 1)]);
    plain.gradients = torch::autograd::grad({loss}, wanted);
    plain.loss = loss.item<double>();
    return plain;
  }

  static void observe_layer(const StepView& view, const NetworkEnd& end, const at::Tensor& g_plain, double loss,
                            const at::Tensor& weight) {
    const int64_t layer = end.layer;
    const TwinPass twin = twin_pass(end);
    const double constant = twin.sigma.eq(0).sum().item<double>();
    view.recorder.scalar(view.step, layer, "constant_channels", constant);
    if (constant > 0) return;
    const auto gradients = torch::autograd::grad({twin.loss}, {twin.y, twin.z, weight});
    const SingularValue lambda = input_norm(end);

    const at::Tensor yhat = twin.yhat.detach(), sigma2 = twin.sigma.detach().flatten().to(at::kDouble).square();
    const auto m = static_cast<double>(yhat.numel() / yhat.size(1));
    const auto right_side = [&](const at::Tensor& g) {
      return (sums(g.square()) - sums(g).square() / m - sums(g * yhat).square() / m) / sigma2;
    };
    const at::Tensor left = sums(gradients[0].square());
    const at::Tensor bound = right_side(g_plain), scale = sums(gradients[1].square()) / sigma2;
    const at::Tensor error = relative((left - right_side(gradients[1])).abs(), scale);
    view.recorder.array(view.step, layer, "gradient", as_vector(left));
    view.recorder.array(view.step, layer, "bound", as_vector(bound));
    view.recorder.scalar(view.step, layer, "identity_error", error.max().item<double>());
    view.recorder.scalar(view.step, layer, "holds", share_of(left.le(bound)));
    view.recorder.scalar(view.step, layer, "twin_error", std::abs(same_twin_loss(end) - loss) / loss);

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
          [](const ProbeSpec& spec, const ProbeSetting&) { return std::make_unique<BnTheory>(spec); }, theory_cost};
}

}  // namespace bnlab
