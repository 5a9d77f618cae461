#include "bnlab/probes/sgd_noise.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "bnlab/data/random.h"
#include "bnlab/numerics/gradient_errors.h"
#include "bnlab/numerics/population_statistics.h"
#include "bnlab/probes/probe.h"
#include "bnlab/record/statistics.h"

namespace bnlab {
namespace {

constexpr std::array<double, 3> kRateFactors = {0.1, 1, 10};
constexpr int64_t kRates = kRateFactors.size(), kPlanted = kRates, kOwnStatistics = kRates + 1;

struct NoiseParameters {
  int64_t images = 512, draws = 500, seen = 20480;
  std::vector<int64_t> batches = {8, 32, 128, 256};

  int64_t draws_of_network(int64_t size) const { return std::max<int64_t>(2, seen / size); }
};

NoiseParameters parse_noise(const Json& json, const std::string& where) {
  NoiseParameters p;
  JsonFields fields(json, where);
  fields.optional("images", p.images).check(p.images >= 2, "images", "at least 2");
  fields.optional("batches", p.batches).optional("draws", p.draws).check(p.draws >= 1, "draws", "at least 1");
  fields.optional("seen", p.seen).check(p.seen >= 1, "seen", "at least 1");
  const auto fits = [&](int64_t size) { return size >= 1 && size <= p.images; };
  fields.check(!p.batches.empty() && std::all_of(p.batches.begin(), p.batches.end(), fits), "batches",
               "sizes from 1 to the number of images");
  fields.finish();
  return p;
}

Json complete_noise(const Json& json, const std::string& where, const ProbeSetting& setting) {
  const NoiseParameters p = parse_noise(json, where);
  const std::string& norm = setting.spec.model.norm.kind;
  if (norm != "none" && norm != "batch") {
    throw SpecError(where, "the probe \"sgd-noise\" needs a network with the normalization \"batch\" or \"none\"");
  }
  if (p.images > setting.train_count) {
    throw SpecError(where + ".images",
                    fmt::format("expected at most the {} training images, got {}", setting.train_count, p.images));
  }
  return {{"images", p.images}, {"batches", p.batches}, {"draws", p.draws}, {"seen", p.seen}};
}

/// Gradients of the mean loss of some of a population's examples, (P) double, in the network's own mode.
class SampleGradients {
 public:
  SampleGradients(Network& network, const Batch& population) : network_(network), population_(population) {}

  int64_t population() const { return population_.y.size(0); }
  at::Tensor of(const std::vector<int64_t>& examples) const {
    const at::Tensor places = at::tensor(examples, at::kLong), y = population_.y.index_select(0, places);
    at::Tensor loss = batch_loss(network_.forward(population_.x.index_select(0, places)), y);
    if (y.is_floating_point()) loss = loss / static_cast<double>(examples.size());  // it was the sum
    std::vector<at::Tensor> parts;
    for (const at::Tensor& part : torch::autograd::grad({loss}, network_.parameters())) {
      parts.push_back(part.reshape({-1}).to(at::kDouble));
    }
    return at::cat(parts);
  }
  /// Of all examples together.
  at::Tensor of_all() const {
    std::vector<int64_t> examples(static_cast<size_t>(population()));
    std::iota(examples.begin(), examples.end(), int64_t{0});
    return of(examples);
  }

 private:
  Network& network_;
  const Batch& population_;
};

/// The gradients of all examples, each by itself, and batches of them without a further pass: a batch's gradient is the
/// mean of its examples'.
class OneByOne {
 public:
  explicit OneByOne(const SampleGradients& gradients) {
    std::vector<at::Tensor> rows;
    for (int64_t i = 0; i < gradients.population(); ++i) rows.push_back(gradients.of({i}));
    each_ = at::stack(rows);
    mean_ = each_.mean(0);
    const at::Tensor errors = (each_ - mean_).to(at::kFloat);  // whose products are faster
    products_ = errors.mm(errors.t()).to(at::kDouble);
  }

  int64_t count() const { return each_.size(0); }
  const at::Tensor& mean() const { return mean_; }
  double c() const { return products_.trace().item<double>() / static_cast<double>(count()); }
  at::Tensor of(const std::vector<int64_t>& batch) const {
    return each_.index_select(0, at::tensor(batch, at::kLong)).mean(0);
  }
  /// ‖E error‖² of a loader that comes to the first half only.
  double bias2_of_half() const {
    return (each_.slice(0, 0, count() / 2).mean(0) - mean_).square().sum().item<double>();
  }
  /// ‖error‖² of a batch, with α = 1.
  double squared_error(const std::vector<int64_t>& batch) const {
    const auto product = products_.accessor<double, 2>();
    double sum = 0;
    for (const int64_t i : batch) {
      const auto row = product[i];
      for (const int64_t j : batch) sum += row[j];
    }
    return sum / std::pow(static_cast<double>(batch.size()), 2);
  }
  /// As error_moments() of the errors of batches of one size, but that the covariance is known: the examples', over the
  /// size. `squared`: the mean of their squared_error().
  ErrorMoments moments(const std::vector<std::vector<int64_t>>& batches, double squared) const {
    const auto draws = static_cast<double>(batches.size()), size = static_cast<double>(batches.front().size());
    const double pairs = draws * (draws - 1);
    at::Tensor shares = at::zeros({count()}, at::kDouble);
    auto share = shares.accessor<double, 1>();
    for (const auto& batch : batches) {
      for (const int64_t example : batch) share[example] += 1 / size;
    }
    const double covariance = products_.norm().item<double>() / static_cast<double>(count()) / size;
    return {squared, (shares.dot(products_.mv(shares)).item<double>() - draws * squared) / pairs,
            covariance * std::sqrt(2 / pairs)};
  }
  double mean_squared_error(const std::vector<std::vector<int64_t>>& batches) const {
    double sum = 0;
    for (const auto& batch : batches) sum += squared_error(batch);
    return sum / static_cast<double>(batches.size());
  }

 private:
  at::Tensor each_, mean_, products_;
};

double squared_norm(const at::Tensor& values) {
  return values.square().sum().item<double>();
}

class SgdNoise : public Probe {
 public:
  explicit SgdNoise(const ProbeSpec& spec) : Probe(spec), p_(parse_noise(spec.parameters, "parameters")) {}

  void observe(const StepView& view) override { look(view); }
  void observe_end(const NetworkView& view) override { look(view); }

 private:
  void look(const NetworkView& view) const {
    const NoTrace no_trace(view.network);
    at::AutoGradMode grad(true);
    const Batch population = view.data.evaluation_loader(/*train_split=*/true, p_.images).next();
    const bool bn = view.spec.model.norm.kind == "batch";
    if (bn) set_population_statistics(view.network, {population.x});
    const SampleGradients gradients(view.network, population);
    view.network.eval();
    const OneByOne each(gradients);
    record(view, "C", each.c());
    record_fixed(view, gradients, each);
    record_planted(view, each);
    if (!bn) return;
    view.network.train();
    record_own_statistics(view, gradients, each);
  }

  void record_fixed(const NetworkView& view, const SampleGradients& gradients, const OneByOne& each) const {
    record(view, "fixed_gradient", each.mean().norm().item<double>());
    double apart = 0;
    for (const int64_t size : p_.batches) {
      for (const bool replacement : {true, false}) {
        std::vector<std::vector<int64_t>> all;
        std::vector<double> squared;
        double mean = 0;
        for (int64_t rate = 0; rate < kRates; ++rate) {
          const auto drawn = drawn_batches(each.count(), size, p_.draws, replacement, key(view, rate));
          const double of_rate = each.mean_squared_error(drawn);
          squared.push_back(std::pow(alpha(view, rate), 2) * of_rate);
          mean += of_rate / static_cast<double>(kRates);
          all.insert(all.end(), drawn.begin(), drawn.end());
        }
        record_squared(view, replacement ? "fixed_with" : "fixed_without", size, each.c(), squared);
        const at::Tensor of_network = gradients.of(all.front());
        raise_to(apart, ((of_network - each.of(all.front())).norm() / of_network.norm()).item<double>());
        if (replacement) record_bias(view, "fixed", size, each.moments(all, mean), squared_norm(each.mean()));
      }
    }
    record(view, "fixed_apart", apart);
  }

  void record_planted(const NetworkView& view, const OneByOne& each) const {
    const double gradient2 = squared_norm(each.mean());
    record(view, "planted", each.bias2_of_half() / gradient2);
    for (const int64_t size : p_.batches) {
      const auto drawn = drawn_batches(each.count() / 2, size, kRates * p_.draws, true, key(view, kPlanted));
      record(view, fmt::format("planted_bias2_{}", size),
             each.moments(drawn, each.mean_squared_error(drawn)).bias2 / gradient2);
    }
  }

  void record_own_statistics(const NetworkView& view, const SampleGradients& gradients, const OneByOne& each) const {
    const at::Tensor full = gradients.of_all();
    record(view, "batch_gradient", full.norm().item<double>());
    for (const int64_t size : p_.batches) {
      std::vector<at::Tensor> own, fixed;
      for (const auto& batch :
           drawn_batches(each.count(), size, p_.draws_of_network(size), true, key(view, kOwnStatistics))) {
        own.push_back(gradients.of(batch) - full);
        fixed.push_back(each.of(batch) - each.mean());
      }
      const at::Tensor errors = at::stack(own), known = at::stack(fixed);  // the mean of `known` is 0
      const double explained = ((errors * known).sum() / known.square().sum()).item<double>();
      std::vector<double> squared;
      for (int64_t rate = 0; rate < kRates; ++rate) {
        squared.push_back(std::pow(alpha(view, rate), 2) * squared_norm(errors) / static_cast<double>(errors.size(0)));
      }
      record_squared(view, "batch_with", size, each.c(), squared);
      record_bias(view, "batch", size, error_moments(errors - explained * known), squared_norm(full));
    }
  }

  static void record(const NetworkView& view, const std::string& name, double value) {
    view.recorder.scalar(view.step, 0, name, value);
  }
  static void record_squared(const NetworkView& view, const std::string& name, int64_t size, double c,
                             const std::vector<double>& squared) {
    double ratio = 0;
    for (int64_t rate = 0; rate < kRates; ++rate) {
      ratio += squared[static_cast<size_t>(rate)] * static_cast<double>(size) / (std::pow(alpha(view, rate), 2) * c) /
               static_cast<double>(kRates);
    }
    view.recorder.array(view.step, 0, fmt::format("{}_squared_{}", name, size), squared);
    record(view, fmt::format("{}_ratio_{}", name, size), ratio);
  }
  static void record_bias(const NetworkView& view, const std::string& form, int64_t size, const ErrorMoments& moments,
                          double gradient2) {
    record(view, fmt::format("{}_bias2_{}", form, size), moments.bias2 / gradient2);
    record(view, fmt::format("{}_bias2_found_{}", form, size), kFound * moments.deviation / gradient2);
  }
  static double alpha(const NetworkView& view, int64_t rate) {
    return view.spec.optimizer.lr * kRateFactors[static_cast<size_t>(rate)];
  }
  static uint64_t key(const NetworkView& view, int64_t use) { return sgd_noise_key(view.spec.seed, view.step, use); }

  NoiseParameters p_;
};

double noise_cost(const Json& json, const ProbeSetting& setting) {
  const NoiseParameters p = parse_noise(json, "parameters");
  double sum = static_cast<double>(p.images) * pass_cost(1, setting) + pass_cost(p.images, setting);
  if (setting.spec.model.norm.kind != "batch") return sum;
  for (const int64_t size : p.batches) {
    sum += static_cast<double>(p.draws_of_network(size)) * pass_cost(size, setting);
  }
  return sum;
}

}  // namespace

uint64_t sgd_noise_key(int64_t seed, int64_t step, int64_t use) {
  return mix(static_cast<uint64_t>(seed), "sgd-noise", step, use);
}

ProbeKind sgd_noise_probe() {
  return {"sgd-noise", "the error of SGD's update: its mean, and its size beside α²C/|B|", complete_noise,
          [](const ProbeSpec& spec, const ProbeSetting&) { return std::make_unique<SgdNoise>(spec); }, noise_cost};
}

}  // namespace bnlab
