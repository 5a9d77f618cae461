// Eigenvalues and traces against the whole Hessian, written down entry by entry, of a perceptron whose layers are
// computed here.
#include "bnlab/probes/curvature.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "tests/probes/moment.h"

namespace bnlab {
namespace {

using testing::MomentTest;
using testing::small_dataset;

constexpr int64_t kHessianStep = 3, kHessianBatch = 16, kHessianImages = 32;

TrainSpec small_perceptron(const std::string& norm) {
  TrainSpec spec = testing::small_spec(norm);
  spec.data.pad_to = 0;
  spec.model.name = "mlp";
  spec.model.options = {{"layers", 1}, {"width", 3}, {"activation", "tanh"}};
  return spec;
}

/// The loss in double; `statistics`: of these images, in the place of each batch's.
at::Tensor loss_by_hand(const std::vector<at::Tensor>& p, bool bn, const std::vector<Batch>& batches,
                        const at::Tensor& statistics) {
  at::Tensor sum = at::zeros({}, at::kDouble);
  for (const Batch& batch : batches) {
    at::Tensor z = at::linear(batch.x.to(at::kDouble).flatten(1), p[0], p[1]);
    if (bn) {
      const at::Tensor of =
          statistics.defined() ? at::linear(statistics.to(at::kDouble).flatten(1), p[0], p[1]).detach() : z;
      z = (z - of.mean(0)) / (of.var(0, /*unbiased=*/statistics.defined()) + 1e-5).sqrt() * p[2] + p[3];
    }
    const size_t head = bn ? 4 : 2;
    sum = sum + at::cross_entropy_loss(at::linear(at::tanh(z), p[head], p[head + 1]), batch.y);
  }
  return sum / static_cast<double>(batches.size());
}

/// All of it, (n,n).
at::Tensor whole_hessian(const std::vector<at::Tensor>& parameters, const at::Tensor& loss) {
  const auto joined = [&](const std::vector<at::Tensor>& parts) {
    std::vector<at::Tensor> flat;
    for (size_t i = 0; i < parts.size(); ++i) {
      flat.push_back(parts[i].defined() ? parts[i].flatten() : at::zeros_like(parameters[i]).flatten());
    }
    return at::cat(flat);
  };
  const at::Tensor gradient =
      joined(torch::autograd::grad({loss}, parameters, {}, /*retain_graph=*/true, /*create_graph=*/true));
  std::vector<at::Tensor> rows;
  for (int64_t i = 0; i < gradient.numel(); ++i) {
    rows.push_back(joined(torch::autograd::grad({gradient[i]}, parameters, {}, true, false, /*allow_unused=*/true)));
  }
  return at::stack(rows).detach();
}

class CurvatureTest : public MomentTest {
 protected:
  /// `gradient`: undefined for a scaled Hessian.
  void compare(RunReader& run, const std::string& name, const at::Tensor& hessian, int64_t count,
               const at::Tensor& gradient = {}) {
    const auto at = [&](const std::string& what) {
      return run.scalar_at({"curvature", 0, name + what}, kHessianStep).value_or(NAN);
    };
    const auto [values, vectors] = at::linalg_eigh(hessian);
    const double first = values[-1].item<double>();
    for (int64_t i = 1; i <= count; ++i) {
      EXPECT_NEAR(at("top_" + std::to_string(i)), values[-i].item<double>(), 1e-3 * first) << name << i;
    }
    EXPECT_EQ(at("converged"), 1) << name;
    EXPECT_LE(at("residual"), 1.1e-3) << name;
    EXPECT_NEAR(at("trace"), hessian.trace().item<double>(), 4 * at("trace_error")) << name;
    EXPECT_LT(at("trace_error"), 0.2 * std::abs(at("trace"))) << name;
    if (!gradient.defined()) return;
    const at::Tensor within = vectors.slice(1, -count).t().mv(gradient);
    EXPECT_NEAR(at("gradient_share"), (within.dot(within) / gradient.dot(gradient)).item<double>(), 1e-3) << name;
    const auto nodes = run.arrays({"curvature", 0, name + "nodes"}),
               weights = run.arrays({"curvature", 0, name + "weights"});
    ASSERT_EQ(nodes.size(), 1u);
    const std::vector<double> place = nodes.front().as_doubles(), weight = weights.front().as_doubles();
    double most = 0, sum = 0;
    for (size_t i = 0; i < place.size(); ++i) {
      most = std::max(most, place[i]);
      sum += weight[i];
    }
    EXPECT_NEAR(most / first, 1, 1e-2) << name;
    EXPECT_NEAR(sum, 2, 1e-6) << "one a start";
  }
};

TEST_F(CurvatureTest, IsThatOfTheWholeHessian) {
  for (const char* norm : {"none", "batch"}) {
    const TrainSpec spec = small_perceptron(norm);
    const auto network = moment(spec, kHessianStep).network;
    const Json parameters = {{"images", kHessianImages}, {"steps", 30}, {"probes", 200}};
    RunReader run = probed(spec, kHessianStep, "curvature", parameters);

    const bool bn = norm == std::string("batch");
    std::vector<at::Tensor> p, norms;
    for (const at::Tensor& parameter : network->parameters()) {
      p.push_back(parameter.detach().to(at::kDouble).contiguous().requires_grad_());
      norms.push_back(at::full({parameter.numel()}, p.back().norm().item<double>(), at::kDouble));
    }
    Loader loader = TrainingData(small_dataset(), spec).evaluation_loader(true, kHessianBatch);
    const std::vector<Batch> batches = {loader.next(), loader.next()};
    const at::Tensor all = at::cat({batches[0].x, batches[1].x}), diagonal = at::cat(norms);
    for (const char* mode : {"batch", "population"}) {
      if (!bn && mode == std::string("population")) {
        EXPECT_FALSE(run.scalar_at({"curvature", 0, "population_top_1"}, kHessianStep)) << "there is no BN";
        continue;
      }
      const at::Tensor loss = loss_by_hand(p, bn, batches, mode == std::string("population") ? all : at::Tensor());
      EXPECT_NEAR(*run.scalar_at({"curvature", 0, std::string(mode) + "_loss"}, kHessianStep), loss.item<double>(),
                  1e-5);
      const at::Tensor hessian = whole_hessian(p, loss);
      std::vector<at::Tensor> gradient;
      for (const at::Tensor& part : torch::autograd::grad({loss}, p)) gradient.push_back(part.flatten());
      compare(run, std::string(mode) + "_", hessian, 3, at::cat(gradient));
      compare(run, std::string(mode) + "_scaled_", hessian * diagonal.unsqueeze(0) * diagonal.unsqueeze(1), 1);
    }
  }
}

TEST_F(CurvatureTest, RefusesImagesThatAreNoWholeBatches) {
  const TrainSpec spec = small_perceptron("batch");
  EXPECT_THROW(probed(spec, 0, "curvature", {{"images", 40}}), SpecError);
  EXPECT_THROW(probed(spec, 0, "curvature", {{"images", 80}}), SpecError);
  EXPECT_THROW(probed(spec, 0, "curvature", {{"images", 40}, {"batch", 20}, {"count", 0}}), SpecError);
}

}  // namespace
}  // namespace bnlab
