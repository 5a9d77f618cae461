#include "bnlab/numerics/mean_loss.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include "bnlab/nn/no_trace.h"
#include "bnlab/numerics/products.h"

namespace bnlab {
namespace {

using Tensors = std::vector<at::Tensor>;

at::Tensor joined(const Tensors& tensors) {
  at::NoGradGuard no_grad;
  Tensors parts;
  for (const at::Tensor& tensor : tensors) parts.push_back(tensor.reshape({-1}).to(at::kDouble));
  return at::cat(parts);
}

/// `derivatives` of something by the parameters, one behind the other; undefined ones are 0.
at::Tensor joined(Tensors derivatives, const Tensors& parameters) {
  for (size_t i = 0; i < derivatives.size(); ++i) {
    if (!derivatives[i].defined()) derivatives[i] = at::zeros_like(parameters[i]);
  }
  return joined(derivatives);
}

/// The piece of a vector for each parameter, in its shape and type.
Tensors pieces(std::span<const double> vector, const Tensors& parameters) {
  Tensors result;
  const double* place = vector.data();
  for (const at::Tensor& parameter : parameters) {
    at::Tensor piece = at::empty(parameter.sizes(), at::kDouble);
    std::copy_n(place, piece.numel(), piece.data_ptr<double>());
    place += piece.numel();
    result.push_back(piece.to(parameter.scalar_type()));
  }
  return result;
}

/// <gradients, directions>; undefined if no gradient is a function of the parameters.
at::Tensor slope_along(const Tensors& gradients, const Tensors& directions) {
  at::Tensor slope;
  for (size_t i = 0; i < gradients.size(); ++i) {
    if (!gradients[i].defined() || !gradients[i].requires_grad()) continue;
    const at::Tensor part = (gradients[i] * directions[i]).sum();
    slope = slope.defined() ? slope + part : part;
  }
  return slope;
}

}  // namespace

/// The network in the loss's mode and its random numbers at their beginning; at the end all is as it was.
class MeanLoss::Scope {
 public:
  explicit Scope(const MeanLoss& loss) : no_trace_(loss.network_) {
    loss.network_.train(loss.statistics_ == BnStatistics::kBatch);
    at::Generator(at::detail::getDefaultCPUGenerator()).set_state(loss.random_state_);
  }

 private:
  NoTrace no_trace_;
};

MeanLoss::MeanLoss(Network& network, std::vector<WeightedBatch> batches, LossFunction loss, BnStatistics statistics)
    : network_(network),
      batches_(std::move(batches)),
      loss_(std::move(loss)),
      statistics_(statistics),
      random_state_(at::detail::getDefaultCPUGenerator().get_state()) {
  TORCH_CHECK(!batches_.empty(), "MeanLoss: expected at least one batch, got none.");
  double sum = 0;
  for (const WeightedBatch& batch : batches_) {
    TORCH_CHECK(batch.weight > 0, "MeanLoss: expected weights above 0, got ", batch.weight, ".");
    sum += batch.weight;
  }
  for (WeightedBatch& batch : batches_) batch.weight /= sum;
}

int64_t MeanLoss::dimension() const {
  int64_t count = 0;
  for (const at::Tensor& parameter : network_.parameters()) count += parameter.numel();
  return count;
}

at::Tensor MeanLoss::loss_of(const WeightedBatch& batch) const {
  const auto type = network_.parameters().front().scalar_type();
  return loss_(network_.forward(batch.x.to(type)), batch.y.is_floating_point() ? batch.y.to(type) : batch.y);
}

double MeanLoss::value() const {
  const Scope scope(*this);
  at::NoGradGuard no_grad;
  double sum = 0;
  for (const WeightedBatch& batch : batches_) sum += batch.weight * loss_of(batch).item<double>();
  return sum;
}

std::vector<double> MeanLoss::gradient() const {
  const Scope scope(*this);
  at::AutoGradMode grad(true);
  const Tensors parameters = network_.parameters();
  at::Tensor sum = at::zeros({dimension()}, at::kDouble);
  for (const WeightedBatch& batch : batches_) {
    sum += batch.weight * joined(torch::autograd::grad({loss_of(batch)}, parameters, {}, c10::nullopt,
                                                       /*create_graph=*/false, /*allow_unused=*/true),
                                 parameters);
  }
  return as_doubles(sum);
}

void MeanLoss::hessian_product(std::span<const double> v, std::span<double> product) const {
  const auto n = static_cast<size_t>(dimension());
  TORCH_CHECK(v.size() == n && product.size() == n, "MeanLoss: expected vectors of ", n, " elements, got ", v.size(),
              " and ", product.size(), ".");
  const Scope scope(*this);
  at::AutoGradMode grad(true);
  const Tensors parameters = network_.parameters(), directions = pieces(v, parameters);
  at::Tensor sum = at::zeros({dimension()}, at::kDouble);
  for (const WeightedBatch& batch : batches_) {
    const Tensors gradients = torch::autograd::grad({loss_of(batch)}, parameters, {}, /*retain_graph=*/true,
                                                    /*create_graph=*/true, /*allow_unused=*/true);
    const at::Tensor slope = slope_along(gradients, directions);
    if (!slope.defined()) continue;  // linear in the parameters
    sum += batch.weight * joined(torch::autograd::grad({slope}, parameters, {}, c10::nullopt,
                                                       /*create_graph=*/false, /*allow_unused=*/true),
                                 parameters);
  }
  std::copy_n(sum.data_ptr<double>(), n, product.begin());
}

LinearOperator MeanLoss::hessian() const {
  return {dimension(),
          [loss = *this](std::span<const double> v, std::span<double> product) { loss.hessian_product(v, product); }};
}

std::vector<double> flattened(const std::vector<at::Tensor>& tensors) {
  return as_doubles(joined(tensors));
}

void make_double(Network& network) {
  at::NoGradGuard no_grad;
  const auto convert = [](at::Tensor tensor) {
    if (tensor.is_floating_point()) tensor.set_data(tensor.data().to(at::kDouble));
  };
  for (const at::Tensor& parameter : network.parameters()) convert(parameter);
  for (const at::Tensor& buffer : network.buffers()) convert(buffer);
}

}  // namespace bnlab
