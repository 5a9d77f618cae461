#include "bnlab/train/switching.h"

#include <torch/optim/serialize.h>
#include <torch/serialize/input-archive.h>
#include <torch/serialize/output-archive.h>

#include "bnlab/train/optimizer.h"

namespace bnlab {
namespace {

/// Of the whole, which has only a rate. Nothing of it is stored: the spec has it.
struct SwitchingOptions : torch::optim::OptimizerCloneableOptions<SwitchingOptions> {
  SwitchingOptions(double rate) : lr(rate) {}
  double lr;

  double get_lr() const override { return lr; }
  void set_lr(double rate) override { lr = rate; }
};

class Switching : public torch::optim::Optimizer {
 public:
  Switching(std::vector<at::Tensor> parameters, double lr, std::unique_ptr<Optimizer> first,
            std::unique_ptr<Optimizer> second, int64_t at, double factor)
      : Optimizer({torch::optim::OptimizerParamGroup(std::move(parameters))}, std::make_unique<SwitchingOptions>(lr)),
        first_(std::move(first)),
        second_(std::move(second)),
        at_(at),
        factor_(factor) {}

  at::Tensor step(LossClosure closure) override {
    const double lr = param_groups_.front().options().get_lr();
    const bool is_first = made_++ < at_;
    Optimizer& optimizer = is_first ? *first_ : *second_;
    set_learning_rate(optimizer, is_first ? lr : factor_ * lr);
    return optimizer.step(closure);
  }

  void save(torch::serialize::OutputArchive& archive) const override {
    torch::serialize::OutputArchive first, second;
    first_->save(first);
    second_->save(second);
    archive.write("made", c10::IValue(made_));
    archive.write("first", first);
    archive.write("second", second);
  }
  void load(torch::serialize::InputArchive& archive) override {
    torch::serialize::InputArchive first, second;
    c10::IValue made;
    archive.read("made", made);
    archive.read("first", first);
    archive.read("second", second);
    made_ = made.toInt();
    first_->load(first);
    second_->load(second);
  }

 private:
  std::unique_ptr<Optimizer> first_, second_;
  int64_t at_;
  double factor_;
  int64_t made_ = 0;  ///< steps
};

}  // namespace

std::unique_ptr<torch::optim::Optimizer> make_switching(std::vector<at::Tensor> parameters, double lr,
                                                        std::unique_ptr<torch::optim::Optimizer> first,
                                                        std::unique_ptr<torch::optim::Optimizer> second, int64_t at,
                                                        double factor) {
  return std::make_unique<Switching>(std::move(parameters), lr, std::move(first), std::move(second), at, factor);
}

}  // namespace bnlab
