#include "bnlab/probes/relative_loss.h"

#include <ATen/ATen.h>

#include <cmath>

#include "bnlab/probes/probe.h"
#include "bnlab/record/statistics.h"

namespace bnlab {
namespace {

struct RelativeLossParameters {
  double near = 1e-5;
  double far = 10;
  int64_t points = 19;
};

RelativeLossParameters parse_relative_loss(const Json& json, const std::string& where) {
  RelativeLossParameters parameters;
  JsonFields fields(json, where);
  fields.optional("near", parameters.near).optional("far", parameters.far).optional("points", parameters.points);
  fields.check(parameters.near > 0, "near", "above 0");
  fields.check(parameters.far > parameters.near, "far", "above near");
  fields.check(parameters.points >= 2, "points", "at least 2");
  fields.finish();
  return parameters;
}

class RelativeLoss : public Probe {
 public:
  explicit RelativeLoss(const ProbeSpec& spec)
      : Probe(spec), parameters_(parse_relative_loss(spec.parameters, "parameters")) {}

  void observe(const StepView& view) override {
    const double factor =
        std::pow(parameters_.far / parameters_.near, 1.0 / static_cast<double>(parameters_.points - 1));
    std::vector<double> alphas, ratios;
    for (int64_t k = 0; k < parameters_.points; ++k) {
      alphas.push_back(parameters_.near * std::pow(factor, static_cast<double>(k)));
      ratios.push_back(view.loss_at.loss(moved(view.parameters, view.gradients, alphas.back())) / view.loss);
    }
    view.recorder.array(view.step, 0, "alpha", alphas);
    view.recorder.array(view.step, 0, "ratio", ratios);
    view.recorder.scalar(view.step, 0, "crossing", crossing(alphas, ratios));
    double lowest = INFINITY, squares = 0;
    for (const double ratio : ratios) lowest = std::fmin(lowest, ratio);  // of those that are numbers
    for (const at::Tensor& part : view.gradients) squares += std::pow(part.norm().item<double>(), 2);
    view.recorder.scalar(view.step, 0, "lowest", lowest);
    view.recorder.scalar(view.step, 0, "gradient_norm", std::sqrt(squares));
  }

 private:
  static double crossing(const std::vector<double>& alphas, const std::vector<double>& ratios) {
    for (size_t k = 0; k < ratios.size(); ++k) {
      if (!(ratios[k] <= 1)) return k == 0 ? alphas[0] : std::sqrt(alphas[k - 1] * alphas[k]);
    }
    return alphas.back();
  }

  RelativeLossParameters parameters_;
};

}  // namespace

ProbeKind relative_loss_probe() {
  return {"relative-loss", "the loss along the step's gradient, relative to where the step begins",
          [](const Json& json, const std::string& where, const ProbeSetting&) {
            const RelativeLossParameters p = parse_relative_loss(json, where);
            return Json{{"near", p.near}, {"far", p.far}, {"points", p.points}};
          },
          [](const ProbeSpec& spec, const ProbeSetting&) { return std::make_unique<RelativeLoss>(spec); },
          [](const Json& json, const ProbeSetting& setting) {
            const RelativeLossParameters p = parse_relative_loss(json, "parameters");
            return static_cast<double>(p.points) * forward_cost(setting.spec.batch, setting);
          }};
}

}  // namespace bnlab
