// Every probe against an independent computation, and that none leaves a trace.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>

#include "bnlab/train/checkpoint.h"
#include "tests/probed_run.h"
#include "tests/small_run.h"
#include "tests/temp_folder.h"

namespace bnlab {
namespace {

using testing::small_dataset;
using testing::small_spec;

constexpr int64_t kLayers = 8;

/// Parameters with which each probe of the list can run on small_spec(); a new probe adds its line here.
Json example_parameters(const std::string& name) {
  if (name == "activations") return {{"layers", {2, 7}}, {"images", 16}, {"samples", 64}};
  if (name == "moment-changes") return {{"layers", {1, 8}}, {"images", 16}};
  if (name == "landscape") return {{"points", 2}, {"random", true}};
  return Json::object();
}

class ProbesTest : public ::testing::Test {
 protected:
  std::filesystem::path run(const TrainSpec& spec, const std::vector<ProbeSpec>& probes) {
    return testing::probed_run(temp_ / std::to_string(++count_), small_dataset(), spec, kLayers, probes);
  }
  /// A network as run() leaves it.
  static std::shared_ptr<Network> trained(const std::filesystem::path& folder, const TrainSpec& spec) {
    const auto network = build_network(spec, TrainingData(small_dataset(), spec).shape());
    load_network(read_file(RunPaths{folder}.checkpoint()), *network);
    return network;
  }
  testing::TempFolder temp_;
  int count_ = 0;
};

TEST_F(ProbesTest, NoProbeLeavesATrace) {
  const TrainSpec spec = small_spec("batch", 5);
  const auto bare = run(spec, {});
  for (const auto& kind : probe_kinds()) {
    const auto probed = run(spec, {{kind.name, 0, 1, true, example_parameters(kind.name)}});
    const auto a = trained(bare, spec), b = trained(probed, spec);
    for (size_t i = 0; i < a->parameters().size(); ++i) {
      EXPECT_TRUE(at::equal(a->parameters()[i], b->parameters()[i])) << kind.name << " parameter " << i;
    }
    for (size_t i = 0; i < a->buffers().size(); ++i) {
      EXPECT_TRUE(at::equal(a->buffers()[i], b->buffers()[i])) << kind.name << " buffer " << i;
    }
    EXPECT_EQ(RunReader(bare).scalars({"train", 0, "loss"}).values,
              RunReader(probed).scalars({"train", 0, "loss"}).values);
  }
}

TEST_F(ProbesTest, EveryProbeRefusesUnknownParameters) {
  for (const auto& kind : probe_kinds()) {
    Json parameters = example_parameters(kind.name);
    parameters["no_such_parameter"] = 1;
    EXPECT_THROW(kind.complete(parameters, "probes[0].parameters", {kLayers, true, 0}), SpecError) << kind.name;
  }
}

/// The values that layer `wanted`'s ReLU gets, computed from the weights alone with ATen's own operators.
at::Tensor activation_by_hand(Network& network, at::Tensor x, int64_t wanted) {
  const std::vector<bool> pool_after = {true, true, false, true, false, true, false, true};
  for (int64_t layer = 1;; ++layer) {
    const auto p = network.layer(layer).named_parameters();
    x = at::conv2d(x, p["conv.weight"], p["conv.bias"], 1, 1);
    if (p.contains("norm.weight")) {
      const at::Tensor mean = x.mean({0, 2, 3}, true), variance = x.var({0, 2, 3}, false, true);
      x = (x - mean) / (variance + 1e-5).sqrt() * p["norm.weight"].view({1, -1, 1, 1}) +
          p["norm.bias"].view({1, -1, 1, 1});
    }
    if (layer == wanted) return x;
    x = x.relu();
    if (pool_after[static_cast<size_t>(layer - 1)]) x = at::max_pool2d(x, {2, 2});
  }
}

TEST_F(ProbesTest, ActivationsAreThoseOfTheNetwork) {
  for (const char* norm : {"none", "batch"}) {
    const TrainSpec spec = small_spec(norm, 3);
    const auto folder =
        run(spec, {{"activations", 0, 100, true, {{"layers", {2, 7}}, {"images", 16}, {"samples", 20000}}}});
    const auto network = trained(folder, spec);
    at::NoGradGuard no_grad;
    const at::Tensor images = TrainingData(small_dataset(), spec).evaluation_loader(true, 16).next().x;
    RunReader reader(folder);
    for (const int64_t layer : {2, 7}) {
      const at::Tensor expected = activation_by_hand(*network, images, layer).contiguous().flatten();
      const double deviation = expected.std(false).item<double>();
      EXPECT_NEAR(*reader.scalar_at({"activations", layer, "mean"}, 3), expected.mean().item<double>(),
                  1e-5 * deviation + 1e-7);
      EXPECT_NEAR(*reader.scalar_at({"activations", layer, "std"}, 3) / deviation, 1, 1e-5);
      const auto samples = reader.arrays({"activations", layer, "samples"}).back().as_doubles();
      EXPECT_TRUE(std::is_sorted(samples.begin(), samples.end()));
      // Sampled uniformly: its median lies between the 48th and 52nd percentile (20,000 samples: 5.6 standard errors).
      const at::Tensor sorted = std::get<0>(expected.sort());
      const auto at_share = [&](double q) {
        return sorted[static_cast<int64_t>(q * (sorted.numel() - 1))].item<double>();
      };
      EXPECT_GE(samples[10000], at_share(0.48)) << norm << layer;
      EXPECT_LE(samples[10000], at_share(0.52)) << norm << layer;
    }
  }
}

/// What a probe sees at step `step` of a run of `spec`: the network before the update and the step's batch.
struct Moment {
  std::shared_ptr<Network> network;
  Batch batch;

  std::vector<at::Tensor> gradients(double& loss) const {
    const at::Tensor value = at::cross_entropy_loss(network->forward(batch.x), batch.y);
    loss = value.item<double>();
    return torch::autograd::grad({value}, network->parameters());
  }
  std::vector<at::Tensor> gradients() const {
    double loss = 0;
    return gradients(loss);
  }
};

class MomentTest : public ProbesTest {
 protected:
  Moment moment(TrainSpec spec, int64_t step) {
    spec.steps = step;
    Loader loader = TrainingData(small_dataset(), spec).training_loader();
    for (int64_t i = 0; i < step; ++i) (void)loader.next();
    return {trained(run(spec, {}), spec), loader.next()};
  }
  /// A run of steps 0 … step that shows its last step to one probe.
  RunReader probed(TrainSpec spec, int64_t step, const std::string& probe, const Json& parameters) {
    spec.steps = step + 1;
    return RunReader(run(spec, {{probe, step, 1, false, parameters}}));
  }
};

double norm_of(const std::vector<at::Tensor>& values) {
  double squares = 0;
  for (const auto& value : values) squares += value.to(at::kDouble).square().sum().item<double>();
  return std::sqrt(squares);
}

// Every layer on its own: weights of the layers before it moved, one whole pass forward and back.
TEST_F(MomentTest, IcsIsTheChangeOfEachLayersGradientByTheLayersBeforeIt) {
  for (const char* norm : {"none", "batch"}) {
    const TrainSpec spec = small_spec(norm);
    RunReader reader = probed(spec, 3, "ics", Json::object());
    const Moment at = moment(spec, 3);
    const auto before = at.gradients();
    for (int64_t number = 1; number <= kLayers; ++number) {
      const Moment other = moment(spec, 3);
      const auto parameters = other.network->named_parameters();
      at::Tensor first, second;
      for (size_t i = 0; i < parameters.size(); ++i) {
        const std::string& name = parameters[i].key();
        const bool earlier = name.starts_with("layer") && std::stoll(name.substr(5)) < number;
        at::NoGradGuard no_grad;
        if (earlier) parameters[i].value().sub_(before[i], spec.optimizer.lr);
      }
      const auto after = other.gradients();
      for (size_t i = 0; i < parameters.size(); ++i) {
        if (parameters[i].key() != "layer" + std::to_string(number) + ".conv.weight") continue;
        first = before[i].to(at::kDouble), second = after[i].to(at::kDouble);
      }
      const double norm_first = first.norm().item<double>();
      const double l2 = *reader.scalar_at({"ics", number, "l2"}, 3);
      EXPECT_NEAR(l2, (first - second).norm().item<double>(), 2e-5 * norm_first + 1e-4 * l2) << norm << number;
      EXPECT_NEAR(*reader.scalar_at({"ics", number, "cosine"}, 3),
                  at::cosine_similarity(first.flatten(), second.flatten(), 0).item<double>(), 1e-5);
      EXPECT_NEAR(*reader.scalar_at({"ics", number, "gradient_norm"}, 3) / norm_first, 1, 1e-5);
      if (number == 1) {
        EXPECT_LT(l2, 2e-5 * norm_first) << "no layer before the first";
      }
      if (number == kLayers) {
        EXPECT_GT(l2, 1e-2 * norm_first) << "the update does change something";
      }
    }
  }
}

TEST_F(MomentTest, LandscapeIsThatOfTheMovedNetwork) {
  for (const char* norm : {"none", "batch"}) {
    const TrainSpec spec = small_spec(norm);
    RunReader reader = probed(spec, 2, "landscape", {{"near", 0.5}, {"far", 8}, {"points", 3}, {"random", true}});
    const Moment at = moment(spec, 2);
    const auto before = at.gradients();
    const auto values = [&](const char* name) { return reader.arrays({"landscape", 0, name}).front().as_doubles(); };
    const double length = norm_of(before);
    double beta = 0;
    for (const auto& [k, distance] : {std::pair{0, 0.05}, {1, 0.2}, {2, 0.8}}) {
      Moment moved = moment(spec, 2);
      for (size_t i = 0; i < before.size(); ++i) {
        at::NoGradGuard no_grad;
        moved.network->parameters()[i].sub_(before[i], distance);
      }
      double loss = 0;
      auto difference = moved.gradients(loss);
      for (size_t i = 0; i < before.size(); ++i) difference[i] -= before[i];
      EXPECT_NEAR(values("distance")[static_cast<size_t>(k)] / distance, 1, 1e-12);
      EXPECT_NEAR(values("loss")[static_cast<size_t>(k)] / loss, 1, 1e-5) << norm;
      EXPECT_NEAR(values("gradient_difference")[static_cast<size_t>(k)] / norm_of(difference), 1, 1e-4) << norm;
      beta = std::max(beta, norm_of(difference) / (distance * length));
    }
    EXPECT_NEAR(*reader.scalar_at({"landscape", 0, "beta"}, 2) / beta, 1, 1e-4);
    EXPECT_NEAR(*reader.scalar_at({"landscape", 0, "gradient_norm"}, 2) / length, 1, 1e-5);
    for (const std::string prefix : {"", "random_"}) {
      for (const std::string what : {"loss", "gradient_difference"}) {
        const auto all = values((prefix + what).c_str());
        const std::string name = prefix + (what == "loss" ? "loss" : "difference");
        EXPECT_EQ(*reader.scalar_at({"landscape", 0, name + "_low"}, 2), *std::min_element(all.begin(), all.end()));
        EXPECT_EQ(*reader.scalar_at({"landscape", 0, name + "_high"}, 2), *std::max_element(all.begin(), all.end()));
      }
    }
    // Orthogonal to the gradient but for 1 in sqrt(parameters): there the loss changes far less.
    double base = 0;
    (void)at.gradients(base);
    EXPECT_LT(std::abs(values("random_loss")[0] - base), 0.5 * std::abs(values("loss")[0] - base)) << norm;
    EXPECT_NE(values("random_loss")[0], values("loss")[0]);
  }
}

TEST_F(MomentTest, MomentChangesAreThoseOfTheStep) {
  const TrainSpec spec = small_spec("batch");
  RunReader reader = probed(spec, 2, "moment-changes", {{"layers", {3}}, {"images", 16}});
  const auto images = TrainingData(small_dataset(), spec).evaluation_loader(true, 16).next().x;
  const Moment before = moment(spec, 2), after = moment(spec, 3);  // three updates instead of two
  at::NoGradGuard no_grad;
  const at::Tensor a = activation_by_hand(*before.network, images, 3),
                   b = activation_by_hand(*after.network, images, 3);
  const at::Tensor mean_a = a.mean({0, 2, 3}), mean_b = b.mean({0, 2, 3});
  const at::Tensor var_a = a.var({0, 2, 3}, false), var_b = b.var({0, 2, 3}, false);
  EXPECT_NEAR(*reader.scalar_at({"moment-changes", 3, "mean"}, 2),
              ((mean_b - mean_a).abs() / var_a.sqrt()).mean().item<double>(), 1e-5);
  EXPECT_NEAR(*reader.scalar_at({"moment-changes", 3, "variance"}, 2),
              ((var_b - var_a).abs() / var_a).mean().item<double>(), 1e-5);
  EXPECT_GT(*reader.scalar_at({"moment-changes", 3, "variance"}, 2), 1e-4);
}

TEST_F(MomentTest, GradientSketchesKeepAnglesAndLengths) {
  const TrainSpec spec = small_spec("batch");
  constexpr int64_t kSize = 4096;
  RunReader first = probed(spec, 1, "gradient-sketch", {{"size", kSize}});
  RunReader second = probed(spec, 2, "gradient-sketch", {{"size", kSize}});
  const auto a = moment(spec, 1).gradients(), b = moment(spec, 2).gradients();
  const auto x = first.arrays({"gradient-sketch", 0, "sketch"}).front().as_doubles();
  const auto y = second.arrays({"gradient-sketch", 0, "sketch"}).front().as_doubles();
  double xy = 0, ab = 0, xx = 0;
  for (size_t i = 0; i < x.size(); ++i) xy += x[i] * y[i], xx += x[i] * x[i];
  for (size_t i = 0; i < a.size(); ++i) ab += (a[i] * b[i]).sum().item<double>();
  const double scale = norm_of(a) * norm_of(b);
  EXPECT_NEAR(xy / scale, ab / scale, 5 / std::sqrt(kSize)) << "five standard errors";
  EXPECT_NEAR(std::sqrt(xx) / norm_of(a), 1, 5 / std::sqrt(kSize));
  EXPECT_NEAR(*first.scalar_at({"gradient-sketch", 0, "norm"}, 1) / norm_of(a), 1, 1e-5);
  EXPECT_DOUBLE_EQ(*first.scalar_at({"gradient-sketch", 0, "rate"}, 1), spec.optimizer.lr);
}

// Against ATen's own BN and a perturbation of it: the sum of squares that Theorem 4.1 bounds, by finite differences.
TEST_F(MomentTest, TheoryHasBothSidesOfTheTheorem) {
  const TrainSpec spec = small_spec("none");
  RunReader reader = probed(spec, 2, "bn-theory", {{"layers", {4}}});
  EXPECT_LT(*reader.scalar_at({"bn-theory", 4, "identity_error"}, 2), 1e-4);
  EXPECT_LT(*reader.scalar_at({"bn-theory", 4, "twin_error"}, 2), 1e-4);
  const Moment at = moment(spec, 2);
  at::Tensor y, z;
  const at::Tensor logits = at.network->forward(at.batch.x, [&](int64_t layer, TapPoint point, at::Tensor& value) {
    if (layer != 4 || point != TapPoint::kLinear) return;
    y = value.detach().requires_grad_();
    z = value = at::batch_norm(y, {}, {}, {}, {}, true, 0.1, 0, false);
  });
  const auto gradients = torch::autograd::grad({at::cross_entropy_loss(logits, at.batch.y)}, {y, z});
  const auto left = reader.arrays({"bn-theory", 4, "gradient"}).front().as_doubles();
  const auto bound = reader.arrays({"bn-theory", 4, "bound"}).front().as_doubles();
  at::Tensor plain_y;
  const at::Tensor plain = at.network->forward(at.batch.x, [&](int64_t layer, TapPoint point, at::Tensor& value) {
    if (layer == 4 && point == TapPoint::kLinear) plain_y = value = value.detach().requires_grad_();
  });
  const at::Tensor g = torch::autograd::grad({at::cross_entropy_loss(plain, at.batch.y)}, {plain_y}).front();
  double holds = 0;
  for (int64_t c = 0; c < y.size(1); ++c) {
    const auto channel = [&](const at::Tensor& t) { return t.select(1, c).detach().to(at::kDouble).flatten(); };
    const double m = static_cast<double>(channel(y).numel());
    const double variance = channel(y).var(false).item<double>();
    const double expected =
        (channel(g).square().sum().item<double>() - std::pow(channel(g).sum().item<double>(), 2) / m -
         std::pow((channel(g) * channel(z)).sum().item<double>(), 2) / m) /
        variance;
    EXPECT_NEAR(left[static_cast<size_t>(c)], channel(gradients[0]).square().sum().item<double>(),
                1e-3 * left[static_cast<size_t>(c)]);
    EXPECT_NEAR(bound[static_cast<size_t>(c)], expected, 1e-3 * std::abs(expected));
    holds += left[static_cast<size_t>(c)] <= bound[static_cast<size_t>(c)] ? 1 : 0;
  }
  EXPECT_NEAR(*reader.scalar_at({"bn-theory", 4, "holds"}, 2), holds / static_cast<double>(y.size(1)), 1e-12);
}

// The matrix of a convolution's inputs, written out: a row a place, a column a weight of a filter.
TEST_F(MomentTest, TheoryKnowsTheNormOfALayersInputs) {
  const TrainSpec spec = small_spec("none");
  RunReader reader = probed(spec, 2, "bn-theory", {{"layers", {4}}});
  const Moment at = moment(spec, 2);
  at::Tensor input;
  (void)at.network->forward(at.batch.x, [&](int64_t layer, TapPoint point, at::Tensor& value) {
    if (layer == 3 && point == TapPoint::kOutput) input = value.detach();
  });
  const at::Tensor patches = at::im2col(input.contiguous(), {3, 3}, {1, 1}, {1, 1}, {1, 1}).to(at::kDouble);
  const at::Tensor matrix = patches.transpose(1, 2).flatten(0, 1);
  const double norm = std::sqrt(at::linalg_eigvalsh(matrix.t().matmul(matrix)).max().item<double>());
  EXPECT_NEAR(*reader.scalar_at({"bn-theory", 4, "lambda"}, 2) / norm, 1, 1e-4);
  EXPECT_EQ(*reader.scalar_at({"bn-theory", 4, "lambda_converged"}, 2), 1);
  EXPECT_LE(*reader.scalar_at({"bn-theory", 4, "lambda_residual"}, 2), 1e-3);
  const double worst = *reader.scalar_at({"bn-theory", 4, "weight_worst"}, 2);
  EXPECT_GT(worst, 0);
  EXPECT_LT(worst, 1);
  const auto weights = reader.arrays({"bn-theory", 4, "weight_gradient"}).front().as_doubles();
  const auto bound = reader.arrays({"bn-theory", 4, "bound"}).front().as_doubles();
  double holds = 0;
  for (size_t c = 0; c < bound.size(); ++c) holds += weights[c] <= norm * norm * bound[c] ? 1 : 0;
  EXPECT_NEAR(*reader.scalar_at({"bn-theory", 4, "weight_holds"}, 2), holds / static_cast<double>(bound.size()), 1e-12);
}

// The curvature against a difference of the twin's gradients at two places along v. (The rest of Theorem 4.2 is checked
// by tests/independent.)
TEST_F(MomentTest, CurvatureIsTheChangeOfTheGradientAlongItself) {
  const TrainSpec spec = small_spec("none");
  RunReader reader = probed(spec, 2, "bn-curvature", {{"layers", {7}}, {"channels", 2}});
  EXPECT_LT(*reader.scalar_at({"bn-curvature", 7, "identity_error"}, 2), 1e-4);
  const Moment at = moment(spec, 2);
  at.network->to(at::kDouble);
  at::Tensor shift;  // of y
  const auto gradient = [&] {
    at::Tensor y;
    const at::Tensor logits =
        at.network->forward(at.batch.x.to(at::kDouble), [&](int64_t layer, TapPoint point, at::Tensor& value) {
          if (layer != 7 || point != TapPoint::kLinear) return;
          y = (shift.defined() ? value + shift : value).detach().requires_grad_();
          value = at::batch_norm(y, {}, {}, {}, {}, true, 0.1, 0, false);
        });
    return torch::autograd::grad({at::cross_entropy_loss(logits, at.batch.y)}, {y}).front();
  };
  const at::Tensor g = gradient();
  const auto curvature = reader.arrays({"bn-curvature", 7, "curvature"}).front().as_doubles();
  ASSERT_EQ(curvature.size(), 2U);
  for (int64_t i = 0; i < 2; ++i) {
    const int64_t channel = i * g.size(1) / 2;
    at::Tensor v = at::zeros_like(g);
    v.select(1, channel).copy_(g.select(1, channel));
    const double step = 1e-4 / v.norm().item<double>();
    shift = step * v;
    const at::Tensor ahead = gradient();
    shift = -step * v;
    const double expected = ((ahead - gradient()) * v).sum().item<double>() / (2 * step);
    shift = at::Tensor();
    EXPECT_NEAR(curvature[static_cast<size_t>(i)] / expected, 1, 1e-3) << "channel " << channel;
  }
}

// The same images and weights, but the noise is another.
TEST_F(MomentTest, NoiseMovesMoments) {
  RunReader still = probed(small_spec("none"), 1, "moment-changes", {{"layers", {2}}, {"images", 16}});
  RunReader noisy = probed(small_spec("noise"), 1, "moment-changes", {{"layers", {2}}, {"images", 16}});
  EXPECT_GT(*noisy.scalar_at({"moment-changes", 2, "mean"}, 1), 2 * *still.scalar_at({"moment-changes", 2, "mean"}, 1));
}

TEST_F(ProbesTest, AccuracyIsTheShareOfRightAnswersInEvaluationMode) {
  const TrainSpec spec = small_spec("batch", 8);
  const auto folder = run(spec, {{"accuracy", 0, 100, true, {{"split", "test"}, {"examples", 30}}}});
  const auto network = trained(folder, spec);
  network->eval();
  at::NoGradGuard no_grad;
  const Batch batch = TrainingData(small_dataset(), spec).evaluation_loader(false, 30).next();
  const at::Tensor logits = network->forward(batch.x);
  int64_t right = 0;
  double loss = 0;
  for (int64_t i = 0; i < 30; ++i) {
    right += logits[i].argmax().item<int64_t>() == batch.y[i].item<int64_t>();
    loss -= logits[i].log_softmax(0)[batch.y[i].item<int64_t>()].item<double>() / 30;
  }
  RunReader reader(folder);
  EXPECT_DOUBLE_EQ(*reader.scalar_at({"accuracy", 0, "test_accuracy"}, 8), static_cast<double>(right) / 30);
  EXPECT_NEAR(*reader.scalar_at({"accuracy", 0, "test_loss"}, 8), loss, 1e-5);
}

TEST(ProbeParameters, LayersMustExist) {
  const auto* kind = find_probe_kind("activations");
  EXPECT_THROW(kind->complete({{"layers", {9}}}, "p", {kLayers, true, 0}), SpecError);
  EXPECT_THROW(kind->complete({{"layers", {0}}}, "p", {kLayers, true, 0}), SpecError);
  EXPECT_THROW(kind->complete(Json::object(), "p", {kLayers, true, 0}), SpecError);
}

}  // namespace
}  // namespace bnlab
