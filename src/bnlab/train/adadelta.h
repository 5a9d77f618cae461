// Adadelta (Zeiler 2012), in the form of PyTorch's torch.optim.Adadelta; libtorch 1.13 has none in C++.
//
// With g the gradient, weight decay added: s <- rho*s + (1-rho)*g*g; d = sqrt(u + eps) / sqrt(s + eps) * g;
// u <- rho*u + (1-rho)*d*d; w <- w - lr*d. s and u begin at 0.
#pragma once

#include <torch/optim/optimizer.h>

#include <memory>
#include <vector>

namespace bnlab {

std::unique_ptr<torch::optim::Optimizer> make_adadelta(std::vector<at::Tensor> parameters, double lr,
                                                       double weight_decay, double rho, double eps);

}  // namespace bnlab
