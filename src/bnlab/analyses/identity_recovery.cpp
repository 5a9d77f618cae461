#include "bnlab/analyses/identity_recovery.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <vector>

#include "bnlab/analyses/finished_network.h"
#include "bnlab/analyses/values.h"

namespace bnlab {
namespace {

/// A pass of all layers: what each one's map gives and what its activation function gets, and the outputs. In double,
/// (C, m): a row a channel (of the outputs: a class).
struct LayerValues {
  std::vector<at::Tensor> linear, activation_input;  ///< at [layer - 1]
  at::Tensor outputs;
};

LayerValues values_of(Network& network, const at::Tensor& images) {
  LayerValues values;
  const at::Tensor outputs = network.forward(images, [&](int64_t, TapPoint point, const at::Tensor& value) {
    if (point == TapPoint::kLinear) values.linear.push_back(rows_of_channels(value));
    if (point == TapPoint::kActivationInput) values.activation_input.push_back(rows_of_channels(value));
  });
  values.outputs = rows_of_channels(outputs);
  return values;
}

/// The network of `plain` with BN before every activation, gamma = 1 and beta = 0.
std::shared_ptr<Network> with_batch_norm(TrainSpec spec, Network& plain, const TaskShape& shape) {
  spec.model.norm = {};
  spec.model.norm.kind = "batch";
  auto twin = build_network(spec, shape);
  twin->train();
  auto parameters = twin->named_parameters();
  for (const auto& own : plain.named_parameters()) parameters[own.key()].copy_(own.value());
  return twin;
}

void undo_normalization(Network& twin, const LayerValues& plain) {
  for (size_t i = 0; i < plain.linear.size(); ++i) {
    BatchNorm& norm = norm_of(twin, static_cast<int64_t>(i) + 1);
    const at::Tensor& y = plain.linear[i];
    at::Tensor gamma = norm.gamma(), beta = norm.beta();
    gamma.copy_((y.var(1, /*unbiased=*/false) + norm.options().eps).sqrt());
    beta.copy_(y.mean(1));
  }
}

/// Both in units of `plain`'s standard deviation over all its values.
double largest_deviation(const at::Tensor& twin, const at::Tensor& plain) {
  return number((twin - plain).abs().max() / plain.std(/*unbiased=*/false));
}
double root_mean_square_deviation(const at::Tensor& twin, const at::Tensor& plain) {
  return number((twin - plain).square().mean().sqrt() / plain.std(/*unbiased=*/false));
}

void record_standardization(const AnalysisView& view, Network& twin, const LayerValues& standardized) {
  for (size_t i = 0; i < standardized.linear.size(); ++i) {
    const auto layer = static_cast<int64_t>(i) + 1;
    const at::Tensor& y = standardized.activation_input[i];
    const at::Tensor v = standardized.linear[i].var(1, /*unbiased=*/false);
    const at::Tensor off = y.var(1, /*unbiased=*/false) - v / (v + norm_of(twin, layer).options().eps);
    view.recorder.scalar(0, layer, "mean", number(y.mean(1).abs().max()));
    view.recorder.scalar(0, layer, "variance", number(off.abs().max()));
  }
}

RunOutcome compute_identity_recovery(const AnalysisView& view) {
  RunReader& input = *view.inputs.front();
  const TrainSpec& spec = only_input(view, "none");
  if (input.state() != RunState::kFinished) return RunOutcome::kDone;
  at::NoGradGuard no_grad;
  const TrainingData data = view.data(spec);
  const at::Tensor images = data.evaluation_loader(/*train_split=*/true, parse_images(view.spec)).next().x;
  const auto network = finished_network(input, spec, data);
  const LayerValues plain = values_of(*network, images);

  const auto twin = with_batch_norm(spec, *network, data.shape());
  const LayerValues standardized = values_of(*twin, images);
  undo_normalization(*twin, plain);
  const LayerValues recovered = values_of(*twin, images);

  const auto record = [&](int64_t layer, const at::Tensor& own, const at::Tensor& same, const at::Tensor& other) {
    view.recorder.scalar(0, layer, "recovered", largest_deviation(same, own));
    view.recorder.scalar(0, layer, "standardized", root_mean_square_deviation(other, own));
  };
  record(0, plain.outputs, recovered.outputs, standardized.outputs);
  for (size_t i = 0; i < plain.linear.size(); ++i) {
    record(static_cast<int64_t>(i) + 1, plain.activation_input[i], recovered.activation_input[i],
           standardized.activation_input[i]);
  }
  record_standardization(view, *twin, standardized);
  return RunOutcome::kDone;
}

}  // namespace

AnalysisKind identity_recovery_analysis() {
  return {"identity-recovery",
          "whether BN with gamma = sigma and beta = mean, inserted into a finished network, changes nothing",
          [](const AnalysisSpec& spec) {
            return Json{{"images", parse_images(spec)}};
          },
          compute_identity_recovery};
}

}  // namespace bnlab
