#include "bnlab/numerics/mean_loss.h"

#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>

#include <cmath>

#include "bnlab/nn/no_trace.h"
#include "bnlab/numerics/eigenvalues.h"
#include "bnlab/numerics/spectral_density.h"
#include "bnlab/numerics/trace.h"
#include "tests/numerics/small_networks.h"

namespace bnlab {
namespace {

using testing::cross_entropy;
using testing::examples;
using testing::small_network;
using testing::whole_matrix;

constexpr BnStatistics kBoth[] = {BnStatistics::kBatch, BnStatistics::kPopulation};

at::Tensor random_state() {
  return at::detail::getDefaultCPUGenerator().get_state();
}

/// The network's parameters with element i of all moved.
std::vector<at::Tensor> nudged(const Network& network, int64_t i, double by) {
  std::vector<at::Tensor> values;
  for (const at::Tensor& p : network.parameters()) {
    values.push_back(p.detach().clone());
    if (i >= 0 && i < p.numel()) values.back().view({-1})[i] += by;
    i -= p.numel();
  }
  return values;
}

/// d function / d parameter i, by central differences.
template <class F>
at::Tensor difference(Network& network, int64_t i, const F& function) {
  constexpr double kStep = 1e-5;
  const auto at_distance = [&](double by) {
    const WithValues with(network.parameters(), nudged(network, i, by));
    return at::tensor(function(), at::kDouble);
  };
  return (at_distance(kStep) - at_distance(-kStep)) / (2 * kStep);
}

at::Tensor hessian_by_differences(Network& network, const MeanLoss& loss) {
  std::vector<at::Tensor> columns;
  for (int64_t i = 0; i < loss.dimension(); ++i) {
    columns.push_back(difference(network, i, [&] { return loss.gradient(); }));
  }
  return at::stack(columns, 1);
}

double largest(const at::Tensor& values) {
  return values.abs().max().item<double>();
}

TEST(MeanLoss, HessianIsTheGradientsDerivative) {
  for (const std::string model : {"mlp", "conv"}) {
    for (const NormKind& norm : norm_kinds()) {
      for (const BnStatistics statistics : kBoth) {
        const auto network = small_network(model, norm.kind);
        const MeanLoss loss(*network, {examples(*network, 6, 1)}, cross_entropy, statistics);
        const at::Tensor exact = hessian_by_differences(*network, loss), h = whole_matrix(loss.hessian());
        const auto where = model + ", " + norm.kind + (statistics == BnStatistics::kBatch ? ", batch" : ", population");
        EXPECT_LE(largest(h - exact), 1e-7 * (1 + largest(exact))) << where;
        EXPECT_LE(largest(h - h.t()), 1e-12 * (1 + largest(h))) << where;
        EXPECT_GT(largest(h), 1e-3) << where;
      }
    }
  }
}

TEST(MeanLoss, GradientIsTheValuesDerivative) {
  for (const NormKind& norm : norm_kinds()) {
    for (const BnStatistics statistics : kBoth) {
      const auto network = small_network("conv", norm.kind);
      const MeanLoss loss(*network, {examples(*network, 6, 1)}, cross_entropy, statistics);
      const at::Tensor gradient = at::tensor(loss.gradient(), at::kDouble);
      for (int64_t i = 0; i < loss.dimension(); ++i) {
        const double slope = difference(*network, i, [&] { return loss.value(); }).item<double>();
        EXPECT_NEAR(gradient[i].item<double>(), slope, 1e-8) << norm.kind << " " << i;
      }
    }
  }
}

TEST(MeanLoss, TheModesDifferWithBnAndAgreeWithout) {
  for (const std::string model : {"mlp", "conv"}) {
    const auto both = [&](const std::string& norm) {
      const auto network = small_network(model, norm);
      std::vector<at::Tensor> result;
      for (const BnStatistics statistics : kBoth) {
        const MeanLoss loss(*network, {examples(*network, 6, 1)}, cross_entropy, statistics);
        result.push_back(whole_matrix(loss.hessian()));
      }
      return result;
    };
    const auto with = both("batch"), without = both("none");
    EXPECT_TRUE(at::equal(without[0], without[1])) << model;
    EXPECT_GT(largest(with[0] - with[1]), 0.1 * largest(with[1])) << model;
  }
}

/// Linear map, BN with eps = 0, tanh.
class Scaleless : public testing::SmallMlp {
 public:
  Scaleless() : SmallMlp("none") {
    Options options = testing::norm_choice("batch").options;
    options["eps"] = 0;
    behind_ = find_norm_kind("batch").make(4, options);
    register_module("behind", behind_);
  }
  at::Tensor forward(const at::Tensor& x, const Tap&) override {
    return at::tanh(behind_->forward(at::linear(x, parameters()[0])));
  }

 private:
  std::shared_ptr<Norm> behind_;
};

TEST(MeanLoss, InFrontOfBnTheWeightsScaleDoesNotMatter) {
  // L(c w) = L(w), so that the gradient falls as 1/c and H w = -g.
  const auto network = std::make_shared<Scaleless>();
  testing::draw_all(*network, 3);
  make_double(*network);
  const MeanLoss loss(*network, {examples(*network, 8, 2)}, cross_entropy, BnStatistics::kBatch);
  auto state = network->parameters();
  for (size_t i = 1; i < state.size(); ++i) state[i] = at::zeros_like(state[i]);
  std::vector<double> w = flattened(state), product(w.size());
  loss.hessian_product(w, product);
  const auto gradient = loss.gradient();
  double size = 0;
  for (size_t i = 0; i < 12; ++i) {
    EXPECT_NEAR(product[i], -gradient[i], 1e-12) << i;
    size += std::abs(gradient[i]);
  }
  EXPECT_GT(size, 1e-3);
}

TEST(MeanLoss, BatchesAreAveragedByWeight) {
  const auto network = small_network("conv", "batch");
  const auto first = examples(*network, 6, 1, 3), second = examples(*network, 4, 2, 1);
  const auto loss_of = [&](std::vector<WeightedBatch> batches) {
    return MeanLoss(*network, std::move(batches), cross_entropy, BnStatistics::kBatch);
  };
  const MeanLoss a = loss_of({first}), b = loss_of({second}), both = loss_of({first, second});
  EXPECT_NEAR(both.value(), 0.75 * a.value() + 0.25 * b.value(), 1e-14);
  const at::Tensor expected = 0.75 * whole_matrix(a.hessian()) + 0.25 * whole_matrix(b.hessian());
  EXPECT_LE(largest(whole_matrix(both.hessian()) - expected), 1e-13);
  EXPECT_THROW(loss_of({}), c10::Error);
  EXPECT_THROW(loss_of({examples(*network, 6, 1, 0)}), c10::Error);
}

TEST(MeanLoss, OneNoiseDrawForAllProducts) {
  for (const std::string norm : {"noise", "noisy-batch"}) {
    const auto network = small_network("conv", norm);
    const auto batches = std::vector{examples(*network, 6, 1), examples(*network, 5, 2)};
    at::manual_seed(11);
    const MeanLoss loss(*network, batches, cross_entropy, BnStatistics::kBatch);
    const at::Tensor h = whole_matrix(loss.hessian());
    EXPECT_LE(largest(h - h.t()), 1e-12 * largest(h)) << norm;
    at::randn({5});  // others may draw in between
    EXPECT_TRUE(at::equal(whole_matrix(loss.hessian()), h)) << norm;
    std::vector<double> v(h.size(0)), product(h.size(0));
    for (size_t i = 0; i < v.size(); ++i) v[i] = std::cos(static_cast<double>(i));
    loss.hessian_product(v, product);
    const at::Tensor linear = h.mv(at::tensor(v, at::kDouble));
    EXPECT_LE(largest(at::tensor(product, at::kDouble) - linear), 1e-12 * largest(h)) << norm;
    at::manual_seed(12);
    const MeanLoss other(*network, batches, cross_entropy, BnStatistics::kBatch);
    EXPECT_GT(largest(whole_matrix(other.hessian()) - h), 1e-4) << norm;
  }
}

TEST(MeanLoss, LeavesNoTrace) {
  for (const NormKind& norm : norm_kinds()) {
    for (const bool training : {true, false}) {
      const auto network = small_network("conv", norm.kind);
      network->train(training);
      network->layer(2).train(!training);
      std::vector<at::Tensor> before;
      const auto state = [&] {
        std::vector<at::Tensor> all = network->parameters();
        for (const at::Tensor& buffer : network->buffers()) all.push_back(buffer);
        all.push_back(random_state());
        return all;
      };
      for (const at::Tensor& tensor : state()) before.push_back(tensor.detach().clone());
      for (const BnStatistics statistics : kBoth) {
        const MeanLoss loss(*network, {examples(*network, 6, 1)}, cross_entropy, statistics);
        loss.value();
        loss.gradient();
        top_eigenpairs(loss.hessian(), {.count = 1});
      }
      const auto after = state();
      for (size_t i = 0; i < before.size(); ++i) EXPECT_TRUE(at::equal(after[i], before[i])) << norm.kind << " " << i;
      for (const at::Tensor& p : network->parameters()) EXPECT_FALSE(p.grad().defined());
      EXPECT_EQ(network->is_training(), training);
      EXPECT_EQ(network->layer(1).is_training(), training);
      EXPECT_EQ(network->layer(2).is_training(), !training);
    }
  }
}

TEST(MeanLoss, SpectrumOfANetworkAgainstItsWholeHessian) {
  for (const std::string model : {"mlp", "conv"}) {
    for (const BnStatistics statistics : kBoth) {
      const auto network = small_network(model, "batch");
      const MeanLoss loss(*network, {examples(*network, 12, 1)}, cross_entropy, statistics);
      const at::Tensor h = whole_matrix(loss.hessian());
      const at::Tensor exact = at::linalg_eigvalsh(h, "L").flip(0);
      const Eigenpairs top = top_eigenpairs(loss.hessian(), {.count = 4, .tolerance = 1e-9});
      ASSERT_TRUE(top.converged);
      for (int64_t i = 0; i < 4; ++i) EXPECT_NEAR(top.pairs[i].value, exact[i].item<double>(), 1e-8);
      const TraceEstimate trace = hutchinson_trace(loss.hessian(), {.relative_error = 0.05, .most_probes = 5000});
      ASSERT_TRUE(trace.converged);
      EXPECT_NEAR(trace.value, exact.sum().item<double>(), 4 * trace.standard_error);
      const SpectralDensity density = spectral_density(loss.hessian(), {.probes = 200, .steps = 6});
      for (int power = 1; power <= 4; ++power) {
        const ProbeMean moment = spectral_moment(density, power);
        EXPECT_NEAR(moment.value, exact.pow(power).mean().item<double>(), 4 * moment.standard_error) << power;
      }
    }
  }
}

TEST(MeanLoss, InTheNetworksOwnType) {
  for (const BnStatistics statistics : kBoth) {
    const auto exact = small_network("conv", "batch");
    const auto single = std::make_shared<testing::SmallConv>("batch");
    testing::draw_all(*single, 1);
    const auto matrix = [&](Network& network) {
      return whole_matrix(MeanLoss(network, {examples(*exact, 6, 1)}, cross_entropy, statistics).hessian());
    };
    const at::Tensor h = matrix(*exact), in_single = matrix(*single);
    EXPECT_LE(largest(in_single - h), 1e-4 * largest(h));
    EXPECT_GT(largest(in_single - h), 1e-9 * largest(h)) << "not in float";
    EXPECT_EQ(single->parameters().front().scalar_type(), at::kFloat);
  }
}

TEST(MeanLoss, MakeDoubleKeepsCountsAndForwards) {
  const auto network = std::make_shared<testing::SmallConv>("batch");
  make_double(*network);
  for (const auto& buffer : network->named_buffers()) {
    const bool count = buffer.key().find("num_batches_tracked") != std::string::npos;
    EXPECT_EQ(buffer.value().scalar_type(), count ? at::kLong : at::kDouble) << buffer.key();
  }
  network->train();
  EXPECT_EQ(network->forward(examples(*network, 6, 1).x).scalar_type(), at::kDouble);
}

TEST(MeanLoss, WhatTheLossDoesNotDependOnHasNoCurvature) {
  const auto network = small_network("mlp", "none");
  const auto first_only = [&](const at::Tensor&, const at::Tensor&) {
    return network->parameters()[0].square().sum() + network->parameters()[1].sum();
  };
  const MeanLoss loss(*network, {examples(*network, 3, 1)}, first_only, BnStatistics::kBatch);
  at::Tensor expected = at::zeros({loss.dimension()}, at::kDouble);
  expected.slice(0, 0, 12).fill_(2);
  EXPECT_TRUE(at::equal(whole_matrix(loss.hessian()), expected.diag()));
  const MeanLoss linear(
      *network, {examples(*network, 3, 1)},
      [&](const at::Tensor&, const at::Tensor&) { return network->parameters()[1].sum(); }, BnStatistics::kBatch);
  EXPECT_EQ(largest(whole_matrix(linear.hessian())), 0);
  EXPECT_EQ(linear.gradient()[12], 1);
  EXPECT_EQ(linear.gradient()[0], 0);
}

TEST(MeanLoss, ANanInTheDataIsSaid) {
  const auto network = small_network("conv", "batch");
  auto batch = examples(*network, 6, 1);
  batch.x.view({-1})[3] = NAN;
  const MeanLoss loss(*network, {batch}, cross_entropy, BnStatistics::kBatch);
  EXPECT_FALSE(top_eigenpairs(loss.hessian(), {}).finite);
  EXPECT_FALSE(hutchinson_trace(loss.hessian(), {}).finite);
  EXPECT_FALSE(spectral_density(loss.hessian(), {}).finite);
}

TEST(MeanLoss, VectorsOfAnotherLengthAreRefused) {
  const auto network = small_network("mlp", "none");
  const MeanLoss loss(*network, {examples(*network, 3, 1)}, cross_entropy, BnStatistics::kBatch);
  std::vector<double> shorter(3), right(static_cast<size_t>(loss.dimension()));
  EXPECT_THROW(loss.hessian_product(shorter, right), c10::Error);
  EXPECT_THROW(loss.hessian_product(right, shorter), c10::Error);
}

}  // namespace
}  // namespace bnlab
