#include "bnlab/analyses/bn_backward.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "bnlab/analyses/finished_network.h"
#include "bnlab/analyses/values.h"
#include "bnlab/train/loss_closure.h"

namespace bnlab {
namespace {

/// What one BN got and gave, forward and backward. In double, (C,m); gamma (C,1).
struct Passed {
  at::Tensor x, dy, dx, gamma;
  double eps;
};

std::vector<Passed> passed(SequentialNetwork& network, const Batch& batch) {
  std::vector<at::Tensor> in, out;
  const at::Tensor outputs = network.forward(batch.x, [&](int64_t, TapPoint point, const at::Tensor& value) {
    if (point == TapPoint::kLinear) in.push_back(value);
    if (point == TapPoint::kActivationInput) out.push_back(value);
  });
  std::vector<at::Tensor> both = in;
  both.insert(both.end(), out.begin(), out.end());
  const auto gradients = torch::autograd::grad({batch_loss(outputs, batch.y)}, both);
  std::vector<Passed> all;
  for (size_t i = 0; i < in.size(); ++i) {
    const BatchNorm& norm = norm_of(network, static_cast<int64_t>(i) + 1);
    const at::Tensor x = rows_of_channels(in[i].detach());
    const at::Tensor gamma = norm.gamma().defined() ? norm.gamma().detach().to(at::kDouble) : at::ones(x.size(0));
    all.push_back({x, rows_of_channels(gradients[in.size() + i]), rows_of_channels(gradients[i]),
                   gamma.to(at::kDouble).unsqueeze(1), norm.options().eps});
  }
  return all;
}

/// Largest |cos| between a row of `a` and the same row of `b`; rows of zeros are left out.
double largest_cosine(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor norms = a.norm(2, 1) * b.norm(2, 1);
  const at::Tensor alive = norms.gt(0);
  if (!alive.any().item<bool>()) return NAN;
  return number(((a * b).sum(1).abs() / norms).masked_select(alive).max());
}

std::map<std::string, double> measured(const Passed& it) {
  const at::Tensor mean = it.x.mean(1, true), var = it.x.var(1, /*unbiased=*/false, /*keepdim=*/true);
  const at::Tensor rstd = (var + it.eps).rsqrt(), xhat = (it.x - mean) * rstd, g = it.gamma * it.dy;
  const at::Tensor mean_part = g.mean(1, true).expand_as(g), xhat_part = xhat * (g * xhat).mean(1, true);
  const at::Tensor formula = (g - mean_part - xhat_part) * rstd, ones = at::ones_like(g);
  const double all = number(g.square().sum());
  return {{"difference", number((it.dx - formula).abs().max() / formula.square().mean().sqrt())},
          {"arriving_mean", largest_cosine(it.dy, ones)},
          {"arriving_xhat", largest_cosine(it.dy, xhat)},
          {"leaving_mean", largest_cosine(it.dx, ones)},
          {"leaving_xhat", largest_cosine(it.dx, xhat)},
          {"mean_share", number(mean_part.square().sum()) / all},
          {"xhat_share", number(xhat_part.square().sum()) / all},
          {"size", number(it.dx.norm() / it.dy.norm())},
          {"gain", number((it.gamma * rstd).square().mean().sqrt())},
          {"values", static_cast<double>(g.size(1))}};
}

RunOutcome compute_bn_backward(const AnalysisView& view) {
  const TrainSpec& spec = only_input(view, "batch");
  RunReader& input = *view.inputs.front();
  if (input.state() != RunState::kFinished) return RunOutcome::kDone;
  const TrainingData data = view.data(spec);
  const Batch batch = data.evaluation_loader(/*train_split=*/true, parse_images(view.spec)).next();
  const auto network = finished_network(input, spec, data);

  std::map<std::string, double> largest;
  double removed = 0;
  const std::vector<Passed> layers = passed(*network, batch);
  for (size_t i = 0; i < layers.size(); ++i) {
    const auto numbers = measured(layers[i]);
    for (const auto& [name, value] : numbers) view.recorder.scalar(0, static_cast<int64_t>(i) + 1, name, value);
    for (const char* name : {"difference", "arriving_mean", "arriving_xhat", "leaving_mean", "leaving_xhat"}) {
      const auto [it, first] = largest.emplace(name, numbers.at(name));
      if (!std::isnan(it->second) && !(numbers.at(name) <= it->second)) it->second = numbers.at(name);
    }
    removed += std::log((numbers.at("mean_share") + numbers.at("xhat_share")) * numbers.at("values") / 2);
  }
  for (const auto& [name, value] : largest) view.recorder.scalar(0, 0, name, value);
  view.recorder.scalar(0, 0, "removed", removed / static_cast<double>(layers.size()));
  return RunOutcome::kDone;
}

}  // namespace

AnalysisKind bn_backward_analysis() {
  return {"bn-backward", "what each BN of a finished network takes out of the gradient that passes back through it",
          [](const AnalysisSpec& spec) {
            return Json{{"images", parse_images(spec)}};
          },
          compute_bn_backward};
}

}  // namespace bnlab
