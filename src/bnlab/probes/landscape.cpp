#include "bnlab/probes/landscape.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>

#include "bnlab/data/random.h"
#include "bnlab/probes/probe.h"
#include "bnlab/record/statistics.h"

namespace bnlab {
namespace {

struct LandscapeParameters {
  double near = 0.5;
  double far = 4;
  int64_t points = 8;
  bool random = false;
};

LandscapeParameters parse_landscape(const Json& json, const std::string& where) {
  LandscapeParameters parameters;
  JsonFields fields(json, where);
  fields.optional("near", parameters.near).optional("far", parameters.far).optional("points", parameters.points);
  fields.optional("random", parameters.random);
  fields.check(parameters.near > 0, "near", "above 0 (in learning rates)");
  fields.check(parameters.far > parameters.near, "far", "above near (in learning rates)");
  fields.check(parameters.points >= 2, "points", "at least 2");
  fields.finish();
  return parameters;
}

double norm_of(const std::vector<at::Tensor>& tensors) {
  double squares = 0;
  for (const at::Tensor& tensor : tensors) squares += std::pow(tensor.norm().item<double>(), 2);
  return std::sqrt(squares);
}

double distance_between(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
  double squares = 0;
  for (size_t i = 0; i < a.size(); ++i) squares += std::pow((a[i] - b[i]).norm().item<double>(), 2);
  return std::sqrt(squares);
}

class Landscape : public Probe {
 public:
  Landscape(const ProbeSpec& spec, uint64_t seed)
      : Probe(spec), parameters_(parse_landscape(spec.parameters, "parameters")), seed_(seed) {}

  void observe(const StepView& view) override {
    at::NoGradGuard no_grad;
    const double length = norm_of(view.gradients);
    view.recorder.scalar(view.step, 0, "gradient_norm", length);
    walk(view, view.gradients, length, "");
    if (parameters_.random) walk(view, random_direction(view, length), length, "random_");
  }

 private:
  void walk(const StepView& view, const std::vector<at::Tensor>& direction, double length, const std::string& prefix) {
    std::vector<double> distances, losses, differences;
    double beta = 0, lipschitz = 0;
    const double ratio =
        std::pow(parameters_.far / parameters_.near, 1.0 / static_cast<double>(parameters_.points - 1));
    for (int64_t k = 0; k < parameters_.points; ++k) {
      const double distance = view.learning_rate * parameters_.near * std::pow(ratio, static_cast<double>(k));
      const auto [loss, gradient] = view.loss_at.loss_and_gradient(moved(view.parameters, direction, distance));
      distances.push_back(distance);
      losses.push_back(loss);
      differences.push_back(distance_between(view.gradients, gradient));
      raise_to(beta, differences.back() / (distance * length));
      raise_to(lipschitz, std::abs(loss - view.loss) / (distance * length));
    }
    view.recorder.array(view.step, 0, prefix + "distance", distances);
    view.recorder.array(view.step, 0, prefix + "loss", losses);
    view.recorder.array(view.step, 0, prefix + "gradient_difference", differences);
    record_range(view, prefix + "loss", losses);
    record_range(view, prefix + "difference", differences);
    view.recorder.scalar(view.step, 0, prefix + "beta", beta);
    view.recorder.scalar(view.step, 0, prefix + "lipschitz", lipschitz);
  }

  static void record_range(const StepView& view, const std::string& name, const std::vector<double>& values) {
    const bool finite = std::all_of(values.begin(), values.end(), [](double value) { return !std::isnan(value); });
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    view.recorder.scalar(view.step, 0, name + "_low", finite ? *low : NAN);
    view.recorder.scalar(view.step, 0, name + "_high", finite ? *high : NAN);
  }

  std::vector<at::Tensor> random_direction(const StepView& view, double length) const {
    at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(mix(seed_, "landscape", view.step));
    std::vector<at::Tensor> direction;
    for (const at::Tensor& gradient : view.gradients) {
      direction.push_back(at::empty(gradient.sizes(), gradient.options()).normal_(0, 1, generator));
    }
    const double scale = length / norm_of(direction);
    for (at::Tensor& part : direction) part.mul_(scale);
    return direction;
  }

  LandscapeParameters parameters_;
  uint64_t seed_;
};

}  // namespace

ProbeKind landscape_probe() {
  return {"landscape", "loss and gradient along the step's gradient, and along a random direction",
          [](const Json& json, const std::string& where, const ProbeSetting&) {
            const LandscapeParameters p = parse_landscape(json, where);
            return Json{{"near", p.near}, {"far", p.far}, {"points", p.points}, {"random", p.random}};
          },
          [](const ProbeSpec& spec, const ProbeSetting& setting) {
            return std::make_unique<Landscape>(spec, setting.seed());
          },
          [](const Json& json, const ProbeSetting&) {
            const LandscapeParameters p = parse_landscape(json, "parameters");
            return static_cast<double>(p.points) * (p.random ? 2 : 1);
          }};
}

}  // namespace bnlab
