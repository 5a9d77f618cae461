#include "bnlab/train/optimizer_list.h"

#include <torch/optim/adam.h>
#include <torch/optim/rmsprop.h>
#include <torch/optim/sgd.h>

#include <cmath>
#include <tuple>

#include "bnlab/nn/find_kind.h"
#include "bnlab/train/adadelta.h"
#include "bnlab/train/optimizer.h"
#include "bnlab/train/switching.h"

namespace bnlab {
namespace {

using Parameters = std::vector<at::Tensor>;
using MadeOptimizer = std::unique_ptr<torch::optim::Optimizer>;

constexpr double kBelow1 = 1 - 1e-9;  // the largest weight of a moving mean

OptionInfo decay(const std::string& name, double value, const std::string& of) {
  return {
      .name = name, .value = value, .low = 0, .high = kBelow1, .meaning = "weight of the past in the mean of " + of};
}

OptionInfo eps(double value) {
  return {.name = "eps", .value = value, .low = 0, .meaning = "added to the denominator"};
}

OptionInfo momentum(double value) {
  return {.name = "momentum", .value = value, .low = 0, .high = kBelow1, .meaning = "weight of the previous step"};
}

MadeOptimizer make_sgd(const OptimizerSpec& spec, Parameters parameters, double momentum, bool nesterov) {
  const auto options =
      torch::optim::SGDOptions(spec.lr).momentum(momentum).nesterov(nesterov).weight_decay(spec.weight_decay);
  return std::make_unique<torch::optim::SGD>(std::move(parameters), options);
}

OptimizerKind sgd() {
  return {"sgd", "gradient descent: w <- w - lr*g", {}, [](const OptimizerSpec& spec, Parameters parameters) {
            return make_sgd(spec, std::move(parameters), 0, false);
          }};
}

OptimizerKind heavy_ball() {
  return {"momentum",
          "heavy ball (Polyak 1964): v <- momentum*v + g, w <- w - lr*v",
          {momentum(0.9)},
          [](const OptimizerSpec& spec, Parameters parameters) {
            return make_sgd(spec, std::move(parameters), spec.options.number("momentum"), false);
          }};
}

OptimizerKind nesterov() {
  return {"nesterov",
          "Nesterov's momentum (Sutskever et al. 2013): v <- momentum*v + g, w <- w - lr*(g + momentum*v)",
          {momentum(0.9)},
          [](const OptimizerSpec& spec, Parameters parameters) {
            return make_sgd(spec, std::move(parameters), spec.options.number("momentum"), true);
          }};
}

OptimizerKind adam() {
  return {"adam",
          "Adam (Kingma & Ba 2015): m and v are moving means of g and g*g, corrected for their start at 0; "
          "w <- w - lr*m/(sqrt(v) + eps)",
          {decay("beta1", 0.9, "g"), decay("beta2", 0.999, "g*g"), eps(1e-8)},
          [](const OptimizerSpec& spec, Parameters parameters) -> MadeOptimizer {
            const auto options = torch::optim::AdamOptions(spec.lr)
                                     .betas(std::make_tuple(spec.options.number("beta1"), spec.options.number("beta2")))
                                     .eps(spec.options.number("eps"))
                                     .weight_decay(spec.weight_decay);
            return std::make_unique<torch::optim::Adam>(std::move(parameters), options);
          }};
}

OptimizerKind rmsprop() {
  return {"rmsprop",
          "RMSprop (Tieleman & Hinton 2012): v is a moving mean of g*g; w <- w - lr*g/(sqrt(v) + eps), with momentum "
          "b <- momentum*b + g/(sqrt(v) + eps), w <- w - lr*b",
          {decay("alpha", 0.99, "g*g"), eps(1e-8), momentum(0)},
          [](const OptimizerSpec& spec, Parameters parameters) -> MadeOptimizer {
            const auto options = torch::optim::RMSpropOptions(spec.lr)
                                     .alpha(spec.options.number("alpha"))
                                     .eps(spec.options.number("eps"))
                                     .momentum(spec.options.number("momentum"))
                                     .weight_decay(spec.weight_decay);
            return std::make_unique<torch::optim::RMSprop>(std::move(parameters), options);
          }};
}

OptimizerKind adadelta() {
  return {
      "adadelta",
      "Adadelta (Zeiler 2012): d = sqrt(u + eps)/sqrt(s + eps)*g, s and u moving means of g*g and d*d; w <- w - lr*d",
      {decay("rho", 0.9, "g*g and d*d"), eps(1e-6)},
      [](const OptimizerSpec& spec, Parameters parameters) {
        return make_adadelta(std::move(parameters), spec.lr, spec.weight_decay, spec.options.number("rho"),
                             spec.options.number("eps"));
      }};
}

const std::vector<std::string> kSwitched = {"sgd", "momentum", "nesterov", "adam", "rmsprop", "adadelta"};

/// The optimizer of an option of a switching one, with its own options at their defaults.
MadeOptimizer make_switched(const OptimizerSpec& spec, const std::string& option, const Parameters& parameters) {
  OptimizerSpec one;
  one.name = spec.options.word(option);
  one.lr = spec.lr;
  one.weight_decay = spec.weight_decay;
  return make_optimizer(one, parameters);
}

OptimizerKind switching() {
  return {"switch",
          "two optimizers, each with its own defaults: `second` goes on where `first` has left the weights (Im, Tao & "
          "Branson 2016)",
          {{.name = "first", .value = "sgd", .meaning = "the optimizer of the first steps", .choices = kSwitched},
           {.name = "second", .value = "adam", .meaning = "that of all others", .choices = kSwitched},
           {.name = "at", .value = 100, .low = 0, .high = 1e9, .meaning = "number of steps that the first makes"},
           {.name = "factor", .value = 1, .low = 0, .meaning = "rate of the second, as a multiple of lr"}},
          [](const OptimizerSpec& spec, Parameters parameters) {
            auto first = make_switched(spec, "first", parameters), second = make_switched(spec, "second", parameters);
            return make_switching(std::move(parameters), spec.lr, std::move(first), std::move(second),
                                  std::llround(spec.options.number("at")), spec.options.number("factor"));
          }};
}

double milestones_rate(const OptimizerSpec& spec, int64_t step, int64_t) {
  double rate = spec.lr;
  for (const int64_t milestone : spec.milestones) {
    if (milestone <= step) rate *= spec.factor;
  }
  return rate;
}

double cosine_rate(const OptimizerSpec& spec, int64_t step, int64_t steps) {
  return spec.lr * (1 + std::cos(M_PI * static_cast<double>(step) / static_cast<double>(steps))) / 2;
}

}  // namespace

const std::vector<OptimizerKind>& optimizer_kinds() {
  static const std::vector<OptimizerKind> kinds = {sgd(),     heavy_ball(), nesterov(), adam(),
                                                   rmsprop(), adadelta(),   switching()};
  return kinds;
}

const OptimizerKind& find_optimizer_kind(const std::string& name) {
  return find_kind(optimizer_kinds(), &OptimizerKind::name, name, "optimizer");
}

const std::vector<ScheduleKind>& schedule_kinds() {
  static const std::vector<ScheduleKind> kinds = {
      {"milestones", "multiplied by `factor` at each of the `milestones`; constant without any", milestones_rate},
      {"constant", "the same at every step", [](const OptimizerSpec& spec, int64_t, int64_t) { return spec.lr; }},
      {"cosine", "falls along half a cosine, to 0 after the last step (Loshchilov & Hutter 2017)", cosine_rate}};
  return kinds;
}

const ScheduleKind& find_schedule_kind(const std::string& name) {
  return find_kind(schedule_kinds(), &ScheduleKind::name, name, "schedule");
}

}  // namespace bnlab
