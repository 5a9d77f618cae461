#include "bnlab/probes/population_statistics.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <optional>

#include "bnlab/nn/batch_norm.h"
#include "bnlab/nn/no_trace.h"
#include "bnlab/numerics/population_statistics.h"
#include "bnlab/ops/running_statistics.h"
#include "bnlab/probes/probe.h"
#include "bnlab/record/parse_json.h"
#include "bnlab/train/evaluate.h"

namespace bnlab {
namespace {

struct PopulationParameters {
  int64_t measure_every = 50, examples = 1000, training = 10000;
};

PopulationParameters parse_population(const Json& json, const std::string& where) {
  PopulationParameters parameters;
  JsonFields fields(json, where);
  fields.optional("measure_every", parameters.measure_every).optional("examples", parameters.examples);
  fields.optional("training", parameters.training);
  fields.check(parameters.measure_every >= 1, "measure_every", "at least 1");
  fields.check(parameters.examples >= 0, "examples", "at least 0 (0: all)");
  fields.check(parameters.training >= 2, "training", "at least 2");
  fields.finish();
  return parameters;
}

/// A way to keep running statistics.
struct Estimator {
  std::string name;
  c10::optional<double> momentum;  ///< none: the mean over all batches, unless there is a window
  int64_t window = 0;
};

const std::vector<Estimator>& estimators() {
  static const std::vector<Estimator> all = {{"momentum-0.1", 0.1}, {"momentum-0.01", 0.01}, {"cumulative", {}},
                                             {"last-1", {}, 1},     {"last-10", {}, 10},     {"last-100", {}, 100}};
  return all;
}

/// What an estimator keeps of one layer. Double, so that it rounds no more than it must.
struct Kept {
  at::Tensor mean, var, batches, window_mean, window_var;

  Kept(const Estimator& estimator, int64_t channels)
      : mean(at::zeros({channels}, at::kDouble)),
        var(at::ones({channels}, at::kDouble)),
        batches(at::zeros({}, at::kLong)) {
    if (estimator.window == 0) return;
    window_mean = at::zeros({estimator.window, channels}, at::kDouble);
    window_var = at::full({estimator.window, channels}, -1.0, at::kDouble);  // unfilled
  }

  void take(const Estimator& estimator, const BatchMoments& batch) {
    const auto count = static_cast<double>(batch.count());
    ops::update_running_statistics(batch.mean(), batch.var_unbiased() * ((count - 1) / count), batch.count(),
                                   estimator.momentum, mean, var, batches, ops::if_defined(window_mean),
                                   ops::if_defined(window_var), c10::nullopt, c10::nullopt, c10::nullopt);
  }

  std::vector<at::Tensor> tensors() const {
    std::vector<at::Tensor> all = {mean, var, batches};
    if (window_mean.defined()) all.insert(all.end(), {window_mean, window_var});
    return all;
  }
};

class PopulationStatistics : public Probe {
 public:
  explicit PopulationStatistics(const ProbeSpec& spec)
      : Probe(spec), parameters_(parse_population(spec.parameters, "parameters")) {}

  bool may_skip() const override { return false; }

  void observe(const StepView& view) override {
    watch(population_moments(view.network, {view.batch.x}));
    if (view.step % parameters_.measure_every == 0) measure(view);
  }
  void observe_end(const NetworkView& view) override { measure(view); }

  std::string state() const override {
    if (kept_.empty()) return stored_;
    Json numbers = Json::array();
    for (const auto& of_layer : kept_) {
      for (const Kept& kept : of_layer) {
        for (const at::Tensor& tensor : kept.tensors()) {
          const at::Tensor flat = tensor.to(at::kDouble).contiguous().flatten();
          numbers.push_back(std::vector<double>(flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel()));
        }
      }
    }
    return numbers.dump();
  }
  void restore(const std::string& state) override {
    kept_.clear();
    stored_ = state;
  }

 private:
  void watch(const std::vector<LayerMoments>& layers) {
    if (kept_.empty()) begin(layers);
    for (size_t i = 0; i < layers.size(); ++i) {
      for (size_t e = 0; e < estimators().size(); ++e) kept_[i][e].take(estimators()[e], layers[i].moments);
    }
  }

  /// Only now are the channels known, and with them the form of a stored state.
  void begin(const std::vector<LayerMoments>& layers) {
    for (const LayerMoments& layer : layers) {
      kept_.emplace_back();
      for (const Estimator& estimator : estimators()) {
        kept_.back().emplace_back(estimator, layer.moments.mean().numel());
      }
    }
    if (stored_.empty()) return;
    const Json numbers = parse_json(stored_, "the state of the probe population-statistics");
    size_t next = 0;
    for (const auto& of_layer : kept_) {
      for (const Kept& kept : of_layer) {
        for (const at::Tensor& tensor : kept.tensors()) {
          const auto values = numbers.at(next++).get<std::vector<double>>();
          tensor.copy_(at::tensor(values, at::kDouble).view(tensor.sizes()));
        }
      }
    }
  }

  void measure(const NetworkView& view) {
    const NoTrace no_trace(view.network);
    const at::NoGradGuard no_grad;
    Loader loader = view.data.evaluation_loader(/*train_split=*/true, view.spec.batch);
    std::vector<at::Tensor> images;
    for (int64_t seen = 0; seen < parameters_.training && seen < view.data.dataset().train.count();) {
      images.push_back(loader.next().x);
      seen += images.back().size(0);
    }
    const std::vector<LayerMoments> exact = population_moments(view.network, images);
    if (kept_.empty()) begin(exact);
    const auto put = [&](size_t layer, const at::Tensor& mean, const at::Tensor& var) {
      exact[layer].layer->running_mean().copy_(mean);
      exact[layer].layer->running_var().copy_(var);
    };
    for (size_t i = 0; i < exact.size(); ++i) put(i, exact[i].moments.mean(), exact[i].moments.var_unbiased());
    record_accuracy(view, "exact");
    for (size_t e = 0; e < estimators().size(); ++e) {
      const std::string& name = estimators()[e].name;
      double all_layers = 0;
      for (size_t i = 0; i < exact.size(); ++i) {
        const Kept& kept = kept_.at(i)[e];
        put(i, kept.mean, kept.var);
        const at::Tensor variance = exact[i].moments.var_unbiased();
        const at::Tensor off = (kept.mean - exact[i].moments.mean()).square() / variance;
        const double mean_error = off.mean().sqrt().item<double>();
        const double log_variance = (kept.var / variance).log().mean().item<double>();
        const auto layer = static_cast<int64_t>(i) + 1;
        view.recorder.scalar(view.step, layer, name + "_mean_error", mean_error);
        view.recorder.scalar(view.step, layer, name + "_log_variance", log_variance);
        all_layers += mean_error / static_cast<double>(exact.size());
      }
      view.recorder.scalar(view.step, 0, name + "_mean_error", all_layers);
      record_accuracy(view, name);
    }
  }

  void record_accuracy(const NetworkView& view, const std::string& estimator) const {
    const Evaluation result = evaluate(view.network, view.data, /*train_split=*/false, parameters_.examples);
    view.recorder.scalar(view.step, 0, estimator + "_accuracy", result.accuracy);
  }

  PopulationParameters parameters_;
  std::vector<std::vector<Kept>> kept_;  // by layer and estimator
  std::string stored_;
};

}  // namespace

ProbeKind population_statistics_probe() {
  return {"population-statistics",
          "running statistics kept in several ways, beside the moments that BN's layers really have",
          [](const Json& json, const std::string& where, const ProbeSetting& setting) {
            const PopulationParameters parameters = parse_population(json, where);
            if (setting.spec.model.norm.kind != "batch") {
              throw SpecError(where,
                              "the probe \"population-statistics\" needs a network with the normalization \"batch\"");
            }
            return Json{{"measure_every", parameters.measure_every},
                        {"examples", parameters.examples},
                        {"training", parameters.training}};
          },
          [](const ProbeSpec& spec, const ProbeSetting&) { return std::make_unique<PopulationStatistics>(spec); },
          [](const Json& json, const ProbeSetting& setting) {
            const PopulationParameters parameters = parse_population(json, "parameters");
            const int64_t tested = parameters.examples == 0 ? setting.test_count : parameters.examples;
            const auto tests = static_cast<int64_t>(estimators().size()) + 1;
            const double measured = forward_cost(parameters.training + tests * tested, setting);
            return forward_cost(setting.spec.batch, setting) + measured / static_cast<double>(parameters.measure_every);
          },
          /*told_apart_by=*/"",
          /*thinnable=*/false};
}

}  // namespace bnlab
