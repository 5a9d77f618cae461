#include "bnlab/probes/output_gradients.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>

#include "bnlab/probes/probe.h"
#include "bnlab/record/json_fields.h"

namespace bnlab {
namespace {

int64_t parse_shown_images(const Json& json, const std::string& where) {
  int64_t images = 64;
  JsonFields fields(json, where);
  fields.optional("images", images).check(images >= 1, "images", "at least 1").finish();
  return images;
}

/// Of the rows of g (N, K) that are not 0.
double mean_cosine(const at::Tensor& g) {
  const at::Tensor lengths = g.norm(2, {1}, /*keepdim=*/true), there = lengths.gt(0).squeeze(1).nonzero().squeeze(1);
  const auto n = static_cast<double>(there.numel());
  if (n < 2) return NAN;
  const at::Tensor directions = (g / lengths).index_select(0, there);
  return (directions.sum(0).square().sum().item<double>() - n) / (n * (n - 1));  // |Σu|² = n + Σ_{i≠j} u_i·u_j
}

class OutputGradients : public Probe {
 public:
  explicit OutputGradients(const ProbeSpec& spec)
      : Probe(spec), images_(parse_shown_images(spec.parameters, "parameters")) {}

  void observe(const StepView& view) override {
    const NoTrace no_trace(view.network);
    const at::Tensor outputs = [&] {
      at::NoGradGuard no_grad;
      return view.network.forward(view.batch.x);
    }();
    const at::Tensor leaf = outputs.detach().set_requires_grad(true);
    at::AutoGradMode grad(true);
    record(view, outputs, torch::autograd::grad({batch_loss(leaf, view.batch.y)}, {leaf}).front());
  }

 private:
  void record(const StepView& view, const at::Tensor& outputs, const at::Tensor& gradients) const {
    const int64_t rows = std::min(images_, gradients.size(0));
    const at::Tensor shown = gradients.narrow(0, 0, rows).to(at::kFloat).contiguous();
    view.recorder.array(view.step, 0, "gradients",
                        std::vector<float>(shown.data_ptr<float>(), shown.data_ptr<float>() + shown.numel()),
                        {rows, shown.size(1)});
    const at::Tensor g = gradients.to(at::kDouble), by_class = g.square().sum(0);
    view.recorder.scalar(view.step, 0, "cosine", mean_cosine(g));
    view.recorder.scalar(view.step, 0, "largest_class", (by_class.max() / by_class.sum()).item<double>());
    const auto most = outputs.argmax(1).bincount({}, outputs.size(1)).max().item<double>();
    view.recorder.scalar(view.step, 0, "same_answer", most / static_cast<double>(outputs.size(0)));
  }

  int64_t images_;
};

}  // namespace

ProbeKind output_gradients_probe() {
  return {"output-gradients", "the gradient of each image's outputs, and how alike those of different images are",
          [](const Json& json, const std::string& where, const ProbeSetting&) {
            return Json{{"images", parse_shown_images(json, where)}};
          },
          [](const ProbeSpec& spec, const ProbeSetting&) { return std::make_unique<OutputGradients>(spec); },
          [](const Json&, const ProbeSetting& setting) { return forward_cost(setting.spec.batch, setting); }};
}

}  // namespace bnlab
