#include "bnlab/train/adadelta.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/optim/serialize.h>
#include <torch/serialize/input-archive.h>
#include <torch/serialize/output-archive.h>

#include "bnlab/train/state_key.h"

namespace bnlab {
namespace {

using torch::serialize::InputArchive;
using torch::serialize::OutputArchive;

/// Nothing of it is stored: the spec has it all.
struct AdadeltaOptions : torch::optim::OptimizerCloneableOptions<AdadeltaOptions> {
  AdadeltaOptions(double rate) : lr(rate) {}
  double lr, weight_decay = 0, rho = 0.9, eps = 1e-6;

  double get_lr() const override { return lr; }
  void set_lr(double rate) override { lr = rate; }
  void serialize(InputArchive&) override {}
  void serialize(OutputArchive&) const override {}
};

struct AdadeltaState : torch::optim::OptimizerCloneableParamState<AdadeltaState> {
  at::Tensor gradients, updates;  ///< moving means of their squares: s and u

  void serialize(InputArchive& archive) override {
    archive.read("gradients", gradients, /*is_buffer=*/true);
    archive.read("updates", updates, /*is_buffer=*/true);
  }
  void serialize(OutputArchive& archive) const override {
    archive.write("gradients", gradients, /*is_buffer=*/true);
    archive.write("updates", updates, /*is_buffer=*/true);
  }
};

class Adadelta : public torch::optim::Optimizer {
 public:
  Adadelta(std::vector<at::Tensor> parameters, const AdadeltaOptions& options)
      : Optimizer({torch::optim::OptimizerParamGroup(std::move(parameters))},
                  std::make_unique<AdadeltaOptions>(options)) {}

  at::Tensor step(LossClosure) override {
    at::NoGradGuard no_grad;
    for (auto& group : param_groups_) {
      for (at::Tensor& parameter : group.params()) {
        if (parameter.grad().defined()) move(parameter, static_cast<const AdadeltaOptions&>(group.options()));
      }
    }
    return {};
  }

  void save(OutputArchive& archive) const override {
    torch::optim::serialize<AdadeltaState, AdadeltaOptions>(archive, *this);
  }
  /// The options stay those of the specification: none are stored, and libtorch 2 takes what it reads for stored ones.
  void load(InputArchive& archive) override {
    auto& options = static_cast<AdadeltaOptions&>(param_groups_.front().options());
    const AdadeltaOptions own = options;
    torch::optim::serialize<AdadeltaState, AdadeltaOptions>(archive, *this);
    options = own;
  }

 private:
  AdadeltaState& state_of(const at::Tensor& parameter) {
    auto& state = state_[state_key(parameter)];
    if (!state) {
      auto begun = std::make_unique<AdadeltaState>();
      begun->gradients = at::zeros_like(parameter);
      begun->updates = at::zeros_like(parameter);
      state = std::move(begun);
    }
    return static_cast<AdadeltaState&>(*state);
  }

  void move(at::Tensor& parameter, const AdadeltaOptions& options) {
    AdadeltaState& state = state_of(parameter);
    at::Tensor gradient = parameter.grad();
    if (options.weight_decay != 0) gradient = gradient.add(parameter, options.weight_decay);
    state.gradients.mul_(options.rho).addcmul_(gradient, gradient, 1 - options.rho);
    const at::Tensor update =
        state.updates.add(options.eps).sqrt_().div_(state.gradients.add(options.eps).sqrt_()).mul_(gradient);
    state.updates.mul_(options.rho).addcmul_(update, update, 1 - options.rho);
    parameter.sub_(update, options.lr);
  }
};

}  // namespace

std::unique_ptr<torch::optim::Optimizer> make_adadelta(std::vector<at::Tensor> parameters, double lr,
                                                       double weight_decay, double rho, double eps) {
  AdadeltaOptions options(lr);
  options.weight_decay = weight_decay;
  options.rho = rho;
  options.eps = eps;
  return std::make_unique<Adadelta>(std::move(parameters), options);
}

}  // namespace bnlab
