#include "bnlab/analyses/dln_closed_form.h"

#include <ATen/ATen.h>

#include <cmath>

#include "bnlab/record/statistics.h"
#include "bnlab/train/optimizer.h"

namespace bnlab {
namespace {

using Matrices = std::vector<at::Tensor>;

/// first … last applied one after the other (counted from 0): W_last … W_first; the identity if there are none.
at::Tensor product(const Matrices& w, size_t first, size_t end) {
  at::Tensor all = at::eye(w.front().size(1), at::kDouble);
  for (size_t i = first; i < end; ++i) all = w[i].matmul(all);
  return all;
}

/// dL/dW_i; x, y: (width, samples).
at::Tensor gradient(const Matrices& w, size_t i, const at::Tensor& x, const at::Tensor& y) {
  const at::Tensor before = product(w, 0, i).matmul(x);
  const at::Tensor behind = product(w, i + 1, w.size());
  const at::Tensor error = behind.matmul(w[i]).matmul(before) - y;
  return 2 * behind.t().matmul(error).matmul(before.t());
}

Matrices matrices_of(const std::vector<float>& frame, int64_t width) {
  const at::Tensor all = at::tensor(at::ArrayRef<float>(frame), at::kFloat).to(at::kDouble);
  const at::Tensor stacked = all.view({-1, width, width});
  return stacked.unbind(0);
}

const TrainSpec& checked_input(RunReader& input) {
  const auto* spec = std::get_if<TrainSpec>(&input.spec());
  if (!spec || spec->model.name != "dln" || spec->model.norm.kind != "none" || spec->trajectory.keep != "weights") {
    throw SpecError(
        "inputs",
        "the analysis \"dln-closed-form\" takes a train run of the model dln without normalization that keeps "
        "its weights (trajectory.keep: \"weights\")");
  }
  return *spec;
}

RunOutcome compute_closed_form(const AnalysisView& view) {
  RunReader& input = *view.inputs.front();
  const TrainSpec& spec = checked_input(input);
  const TrainingData data = view.data(spec);
  const at::Tensor x = data.dataset().train.images.flatten(1).to(at::kDouble).t();
  const at::Tensor y = data.dataset().train.labels.to(at::kDouble).t();
  const Trajectory trajectory = read_trajectory(input.paths().trajectory());
  for (size_t k = 0; k < trajectory.steps.size(); ++k) {
    const int64_t step = trajectory.steps[k];
    if (!input.scalar_at({"ics", 1, "l2"}, step)) continue;  // the end, which no step follows
    const Matrices w = matrices_of(trajectory.frames[k], x.size(0));
    Matrices gradients;
    for (size_t i = 0; i < w.size(); ++i) gradients.push_back(gradient(w, i, x, y));
    Matrices updated = w;  // the layers before i have taken their update
    double difference = 0;
    for (size_t i = 0; i < w.size(); ++i) {
      const auto layer = static_cast<int64_t>(i) + 1;
      const double norm = gradients[i].norm().item<double>();
      const double l2 = (gradients[i] - gradient(updated, i, x, y)).norm().item<double>();
      view.recorder.scalar(step, layer, "l2", l2);
      view.recorder.scalar(step, layer, "gradient_norm", norm);
      const double apart = std::abs(l2 - input.scalar_at({"ics", layer, "l2"}, step).value_or(NAN)) / norm;
      raise_to(difference, apart);
      updated[i] = w[i] - learning_rate(spec.optimizer, step, spec.steps) * gradients[i];
    }
    view.recorder.scalar(step, 0, "difference", difference);
  }
  return RunOutcome::kDone;
}

}  // namespace

AnalysisKind dln_closed_form_analysis() {
  return {"dln-closed-form", "internal covariate shift of a deep linear network from its matrices alone",
          [](const AnalysisSpec& spec) {
            JsonFields(spec.parameters, "parameters").finish();
            check_one_input(spec);
            return Json::object();
          },
          compute_closed_form};
}

}  // namespace bnlab
