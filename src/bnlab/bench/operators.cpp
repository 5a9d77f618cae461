#include "bnlab/bench/operators.h"

#include <ATen/ATen.h>

#include "bnlab/bench/batch_data.h"
#include "bnlab/ops/conveniences.h"
#include "bnlab/ops/library.h"

namespace bnlab::bench {
namespace {

using kernels::Fusion;

class OurOperators final : public Operators {
 public:
  using Operators::Operators;

  at::Tensor forward_training() override { return std::get<0>(train()); }
  at::Tensor keep() override {
    saved_ = train();
    return std::get<0>(saved_);
  }
  at::Tensor forward_evaluation() override {
    switch (in_.fusion) {
      case Fusion::kNone:
        return ops::batch_norm(in_.x, in_.gamma, in_.beta, in_.running_mean, in_.running_var, false, kMomentum, kEps);
      case Fusion::kRelu:
        return ops::batch_norm_relu(in_.x, in_.gamma, in_.beta, in_.running_mean, in_.running_var, false, kMomentum,
                                    kEps);
      case Fusion::kAddRelu:
        break;
    }
    return ops::batch_norm_add_relu(in_.x, in_.addend, in_.gamma, in_.beta, in_.running_mean, in_.running_var, false,
                                    kMomentum, kEps);
  }
  TrainingTensors backward() override {
    const auto& [y, mean, rstd, var_biased, relu_mask] = saved_;
    auto [dx, dgamma, dbeta, daddend] = ops::dispatched::batch_norm_training_backward.call(
        in_.dy, in_.x, in_.gamma, mean, rstd, in_.relu() ? ops::OptionalTensor(relu_mask) : c10::nullopt, kEps,
        {true, true, true, in_.add()});
    return {y, dx, dgamma, dbeta, daddend};
  }

 private:
  ops::Quintuple train() {
    auto outputs = ops::dispatched::batch_norm_training.call(
        in_.x, in_.gamma, in_.beta, in_.add() ? ops::OptionalTensor(in_.addend) : c10::nullopt, in_.relu(), kEps,
        /*save_mask=*/in_.relu());
    ops::dispatched::update_running_statistics.call(std::get<1>(outputs), std::get<3>(outputs),
                                                    in_.x.numel() / in_.x.size(1), kMomentum, running_mean_,
                                                    running_var_, {}, {}, {}, {}, {}, {});
    return outputs;
  }

  ops::Quintuple saved_;
};

class PyTorchOperators final : public Operators {
 public:
  PyTorchOperators(const OperatorInputs& inputs, bool in_place) : Operators(inputs), in_place_(in_place) {}

  at::Tensor forward_training() override { return std::get<0>(run(true)); }
  at::Tensor keep() override {
    saved_ = run(true);
    return std::get<0>(saved_);
  }
  at::Tensor forward_evaluation() override { return std::get<0>(run(false)); }
  TrainingTensors backward() override {
    const auto& [y, mean, rstd] = saved_;
    const at::Tensor dz = in_.relu() ? at::threshold_backward(in_.dy, y, 0) : in_.dy;
    auto [dx, dgamma, dbeta] = at::native_batch_norm_backward(dz, in_.x, in_.gamma, running_mean_, running_var_, mean,
                                                              rstd, true, kEps, {true, true, true});
    return {y, dx, dgamma, dbeta, in_.add() ? dz : at::Tensor()};
  }

 private:
  ops::Triple run(bool training) {
    auto outputs = at::native_batch_norm(in_.x, in_.gamma, in_.beta, training ? running_mean_ : in_.running_mean,
                                         training ? running_var_ : in_.running_var, training, kMomentum, kEps);
    at::Tensor& y = std::get<0>(outputs);
    if (in_place_) {
      if (in_.add()) y.add_(in_.addend);
      if (in_.relu()) at::relu_(y);
    } else {
      if (in_.add()) y = at::add(y, in_.addend);
      if (in_.relu()) y = at::relu(y);
    }
    return outputs;
  }

  bool in_place_;
  ops::Triple saved_;
};

}  // namespace

std::unique_ptr<Operators> make_our_operators(const OperatorInputs& inputs) {
  return std::make_unique<OurOperators>(inputs);
}

std::unique_ptr<Operators> make_pytorch_operators(const OperatorInputs& inputs, bool in_place) {
  return std::make_unique<PyTorchOperators>(inputs, in_place);
}

}  // namespace bnlab::bench
