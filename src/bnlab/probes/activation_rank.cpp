#include "bnlab/probes/activation_rank.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>

#include "bnlab/probes/places.h"
#include "bnlab/probes/probe.h"

namespace bnlab {
namespace {

WatchedValues parse_activation_rank(const Json& json, const std::string& where) {
  WatchedValues parameters;
  JsonFields fields(json, where);
  parameters.read(fields);
  fields.finish();
  return parameters;
}

/// From the Gram matrix of the images' rows: its largest eigenvalue is ‖H‖²_2.
double stable_rank(const at::Tensor& gram) {
  const double total = gram.trace().item<double>();
  if (!(total > 0) || !std::isfinite(total)) return NAN;
  return total / at::linalg_eigvalsh(gram).max().item<double>();
}

double cosine_between_rows(const at::Tensor& gram) {
  const auto n = static_cast<double>(gram.size(0));
  const at::Tensor lengths = gram.diagonal().sqrt();
  const double all = (gram / at::outer(lengths, lengths)).sum().item<double>();
  return (all - n) / (n * (n - 1));
}

class ActivationRank : public Probe {
 public:
  explicit ActivationRank(const ProbeSpec& spec)
      : Probe(spec), parameters_(parse_activation_rank(spec.parameters, "parameters")) {}

  void observe(const StepView& view) override { record_ranks(view); }
  void observe_end(const NetworkView& view) override { record_ranks(view); }

 private:
  void record_ranks(const NetworkView& view) {
    if (!images_.defined()) images_ = parameters_.first_images(view);
    NoTrace no_trace(view.network);
    at::NoGradGuard no_grad;
    view.network.train();
    parameters_.pass(view.network, images_, [&](int64_t layer, const std::string& prefix, const at::Tensor& value) {
      const at::Tensor rows = value.detach().to(at::kDouble).flatten(1), gram = rows.matmul(rows.t());
      view.recorder.scalar(view.step, layer, prefix + "stable_rank", stable_rank(gram));
      view.recorder.scalar(view.step, layer, prefix + "cosine", cosine_between_rows(gram));
    });
  }

  WatchedValues parameters_;
  at::Tensor images_;
};

}  // namespace

ProbeKind activation_rank_probe() {
  return {"activation-rank", "how many directions chosen layers' values span over different images",
          [](const Json& json, const std::string& where, const ProbeSetting& setting) {
            return parse_activation_rank(json, where).complete(where, setting);
          },
          [](const ProbeSpec& spec, const ProbeSetting&) { return std::make_unique<ActivationRank>(spec); },
          [](const Json& json, const ProbeSetting& setting) {
            return 2 * forward_cost(parse_activation_rank(json, "parameters").images, setting);
          }};
}

}  // namespace bnlab
