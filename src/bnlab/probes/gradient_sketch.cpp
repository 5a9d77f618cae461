#include "bnlab/probes/gradient_sketch.h"

#include <ATen/core/grad_mode.h>

#include <cmath>

#include "bnlab/data/random.h"
#include "bnlab/probes/probe.h"

namespace bnlab {
namespace {

int64_t parse_size(const Json& json, const std::string& where) {
  int64_t size = 2048;
  JsonFields fields(json, where);
  fields.optional("size", size).check(size >= 16, "size", "at least 16");
  fields.finish();
  return size;
}

// An element of the gradient is taken to last as long as that many multiply-accumulates: 5 ns at 40 GMAC/s.
constexpr double kMacsPerElement = 200;

double sketch_cost(const Json&, const ProbeSetting& setting) {
  const double step = 3 * static_cast<double>(setting.network.macs) * static_cast<double>(setting.spec.batch);
  return kMacsPerElement * static_cast<double>(setting.network.parameters) / step;
}

class GradientSketch : public Probe {
 public:
  explicit GradientSketch(const ProbeSpec& spec) : Probe(spec), size_(parse_size(spec.parameters, "parameters")) {}

  bool may_skip() const override { return false; }

  void observe(const StepView& view) override {
    at::NoGradGuard no_grad;
    if (buckets_.empty()) draw(view.gradients);
    at::Tensor sketch = at::zeros({size_}, at::kFloat);
    double squares = 0;
    for (size_t i = 0; i < view.gradients.size(); ++i) {
      const at::Tensor gradient = view.gradients[i].contiguous().flatten();
      squares += std::pow(gradient.norm().item<double>(), 2);
      sketch.index_add_(0, buckets_[i], gradient * signs_[i]);
    }
    const auto* values = sketch.data_ptr<float>();
    view.recorder.array(view.step, 0, "sketch", std::vector<float>(values, values + size_));
    view.recorder.scalar(view.step, 0, "norm", std::sqrt(squares));
    view.recorder.scalar(view.step, 0, "rate", view.learning_rate);
  }

 private:
  void draw(const std::vector<at::Tensor>& gradients) {
    Random random(mix(0, "gradient-sketch"));
    for (const at::Tensor& gradient : gradients) {
      at::Tensor bucket = at::empty({gradient.numel()}, at::kLong), sign = at::empty({gradient.numel()}, at::kFloat);
      for (int64_t j = 0; j < gradient.numel(); ++j) {
        bucket.data_ptr<int64_t>()[j] = static_cast<int64_t>(random.below(static_cast<uint64_t>(size_)));
        sign.data_ptr<float>()[j] = random.below(2) == 0 ? -1.0F : 1.0F;
      }
      buckets_.push_back(bucket);
      signs_.push_back(sign);
    }
  }

  int64_t size_;
  std::vector<at::Tensor> buckets_, signs_;
};

}  // namespace

ProbeKind gradient_sketch_probe() {
  return {"gradient-sketch",
          "a short image of each step's gradient, for the angles along the path",
          [](const Json& json, const std::string& where, const ProbeSetting&) {
            return Json{{"size", parse_size(json, where)}};
          },
          [](const ProbeSpec& spec, const ProbeSetting&) { return std::make_unique<GradientSketch>(spec); },
          sketch_cost,
          /*told_apart_by=*/"",
          /*thinnable=*/false};
}

}  // namespace bnlab
