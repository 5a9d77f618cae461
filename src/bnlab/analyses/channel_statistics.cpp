#include "bnlab/analyses/channel_statistics.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "bnlab/analyses/finished_network.h"
#include "bnlab/analyses/values.h"

namespace bnlab {
namespace {

constexpr double kConstant = 1e-3;  // of a channel's standard deviation
constexpr int64_t kShownChannels = 3, kShownValues = 2000;

struct Batches {
  int64_t batch = 8, batches = 50;
};

Batches parse_batches(const AnalysisSpec& spec) {
  Batches batches;
  JsonFields fields(spec.parameters, "parameters");
  fields.optional("batch", batches.batch).check(batches.batch >= 2, "batch", "at least 2");
  fields.optional("batches", batches.batches).check(batches.batches >= 2, "batches", "at least 2");
  fields.finish();
  check_one_input(spec);
  return batches;
}

/// What a layer's BN gets and gives: (batches, batch, C, H*W), double; gamma and beta (C).
struct ChannelValues {
  at::Tensor before, after, gamma, beta;
  double eps;
};

at::Tensor mean_over(const at::Tensor& values, at::IntArrayRef dims) {
  return values.mean(dims);
}
at::Tensor variance(const at::Tensor& values, at::IntArrayRef dims, bool keepdim = false) {
  return values.var(dims, /*unbiased=*/false, keepdim);
}
/// Root of the ratio of two sums.
double noise(const at::Tensor& means, const at::Tensor& variances) {
  return std::sqrt(number(variance(means, {0}).sum() / variances.sum()));
}

/// x (batch, C, S), with each position standardized over all images.
at::Tensor standardized_positions(const ChannelValues& it) {
  const at::Tensor mean = mean_over(it.before, {0, 1}), var = variance(it.before, {0, 1});
  return (it.before[0] - mean) / (var + it.eps).sqrt();
}

/// Which of the first batch's maps, (batch, C), are not constant.
at::Tensor patterned(const ChannelValues& it) {
  const at::Tensor channel = variance(it.before, {0, 1, 3}).sqrt();
  return variance(it.before[0], {2}).sqrt().gt(kConstant * channel);
}

/// Mean of 1 - |r| between maps of `a` and `b`, (batch, C, S), where `counts` (batch, C).
double bent(const at::Tensor& a, const at::Tensor& b, const at::Tensor& counts) {
  const at::Tensor p = a - a.mean(2, true), q = b - b.mean(2, true);
  const at::Tensor r = (p * q).sum(2) / (p.norm(2, 2) * q.norm(2, 2));
  return number((1 - r.abs()).masked_select(counts).mean());
}

std::map<std::string, double> measured(const ChannelValues& it) {
  const at::Tensor v = variance(it.before, {1, 3}), spread = it.after.std(/*unbiased=*/false);
  const at::Tensor expected = it.gamma.abs() * (v / (v + it.eps)).sqrt();
  const at::Tensor counts = patterned(it);
  return {{"mean_off", number((mean_over(it.after, {1, 3}) - it.beta).abs().max() / spread)},
          {"deviation_off", number((variance(it.after, {1, 3}).sqrt() - expected).abs().max() / spread)},
          {"channel_noise", noise(mean_over(it.before, {1, 3}), variance(it.before, {0, 1, 3}))},
          {"position_noise", noise(it.before.mean(1), variance(it.before, {0, 1}))},
          {"values", static_cast<double>(it.before.size(1) * it.before.size(3))},
          {"channel_bent", bent(it.before[0], it.after[0], counts)},
          {"position_bent", bent(it.before[0], standardized_positions(it), counts)}};
}

void record_first_layer(Recorder& recorder, const ChannelValues& it, int64_t height) {
  for (int64_t channel = 0; channel < std::min(kShownChannels, it.before.size(2)); ++channel) {
    for (const auto& [name, values] : {std::pair{"before", it.before}, std::pair{"after", it.after}}) {
      const at::Tensor sorted = std::get<0>(values[0].select(1, channel).flatten().sort());
      const int64_t every = (sorted.size(0) + kShownValues - 1) / kShownValues;
      recorder.array(0, channel + 1, name, doubles(sorted.slice(0, 0, c10::nullopt, every)));
    }
  }
  const at::Tensor shown = patterned(it)[0];
  if (!shown.any().item<bool>()) return;
  const auto channel = shown.to(at::kInt).argmax().item<int64_t>();
  const int64_t width = it.before.size(3) / height;
  const auto record = [&](const char* name, const at::Tensor& batch) {
    recorder.array(0, 0, name, doubles(batch[0][channel]), {height, width});
  };
  record("map", it.before[0]);
  record("map_channel", it.after[0]);
  record("map_position", standardized_positions(it));
}

/// A layer's values over all batches, as they come.
struct Collected {
  std::vector<at::Tensor> before, after;
};

std::vector<Collected> collected(SequentialNetwork& network, const at::Tensor& images, int64_t batch) {
  std::vector<Collected> layers(static_cast<size_t>(network.layers()));
  for (const at::Tensor& part : images.split(batch)) {
    network.forward(part, [&](int64_t number, TapPoint point, const at::Tensor& value) {
      if (value.dim() != 4 || value.size(2) * value.size(3) == 1) return;
      Collected& layer = layers[static_cast<size_t>(number - 1)];
      if (point == TapPoint::kLinear) layer.before.push_back(value.contiguous());
      if (point == TapPoint::kActivationInput) layer.after.push_back(value.contiguous());
    });
  }
  return layers;
}

RunOutcome compute_channel_statistics(const AnalysisView& view) {
  const TrainSpec& spec = only_input(view, "batch");
  RunReader& input = *view.inputs.front();
  if (input.state() != RunState::kFinished) return RunOutcome::kDone;
  at::NoGradGuard no_grad;
  const TrainingData data = view.data(spec);
  const auto network = finished_network(input, spec, data);
  const Batches want = parse_batches(view.spec);
  const at::Tensor images = data.evaluation_loader(/*train_split=*/true, want.batch * want.batches).next().x;
  if (images.size(0) < want.batch * want.batches) {
    throw SpecError("parameters.batches", "the training split has too few images for that many batches");
  }
  std::map<std::string, double> largest, sums;
  double layers = 0;
  const auto all = collected(*network, images, want.batch);
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i].before.empty()) continue;
    const BatchNorm& norm = norm_of(*network, static_cast<int64_t>(i) + 1);
    const int64_t channels = norm.options().channels;
    const auto doubled = [](const std::vector<at::Tensor>& values) {
      return at::stack(values).to(at::kDouble).flatten(3);
    };
    const auto or_else = [&](const at::Tensor& own, double otherwise) {
      return own.defined() ? own.to(at::kDouble) : at::full({channels}, otherwise, at::kDouble);
    };
    const ChannelValues values{doubled(all[i].before), doubled(all[i].after), or_else(norm.gamma(), 1),
                               or_else(norm.beta(), 0), norm.options().eps};
    auto numbers = measured(values);
    for (const auto& [name, value] : numbers) view.recorder.scalar(0, static_cast<int64_t>(i) + 1, name, value);
    if (layers++ == 0) record_first_layer(view.recorder, values, all[i].before.front().size(2));
    for (const char* name : {"mean_off", "deviation_off", "channel_bent"}) {
      double& most = largest[name];
      if (!std::isnan(most) && !(numbers[name] <= most)) most = numbers[name];
    }
    sums["position_bent"] += numbers["position_bent"];
    sums["steadier"] += std::log(numbers["channel_noise"] / numbers["position_noise"]);
    sums["worth"] -= std::log(std::pow(numbers["channel_noise"], 2) * numbers["values"]);
  }
  for (const auto& [name, value] : largest) view.recorder.scalar(0, 0, name, value);
  for (const auto& [name, value] : sums) view.recorder.scalar(0, 0, name, value / layers);
  return RunOutcome::kDone;
}

}  // namespace

AnalysisKind channel_statistics_analysis() {
  return {"channel-statistics",
          "BN's statistics in the convolutions of a finished network: by channel, and by position",
          [](const AnalysisSpec& spec) {
            const Batches batches = parse_batches(spec);
            return Json{{"batch", batches.batch}, {"batches", batches.batches}};
          },
          compute_channel_statistics};
}

}  // namespace bnlab
