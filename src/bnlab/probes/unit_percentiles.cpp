#include "bnlab/probes/unit_percentiles.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>

#include "bnlab/probes/by_channel.h"
#include "bnlab/probes/places.h"
#include "bnlab/probes/probe.h"

namespace bnlab {
namespace {

constexpr double kPercentiles[] = {15, 50, 85};

WatchedValues parse_unit_percentiles(const Json& json, const std::string& where) {
  WatchedValues parameters;
  JsonFields fields(json, where);
  parameters.read(fields);
  fields.finish();
  return parameters;
}

/// Of rows that are sorted along their second dimension.
at::Tensor percentile_of_rows(const at::Tensor& sorted, double percentile) {
  const int64_t last = sorted.size(1) - 1;
  const double place = percentile / 100 * static_cast<double>(last), low = std::floor(place);
  const auto below = static_cast<int64_t>(low);
  return at::lerp(sorted.select(1, below), sorted.select(1, std::min(below + 1, last)), place - low);
}

class UnitPercentiles : public Probe {
 public:
  explicit UnitPercentiles(const ProbeSpec& spec)
      : Probe(spec), parameters_(parse_unit_percentiles(spec.parameters, "parameters")) {}

  void observe(const StepView& view) override { record(view); }
  void observe_end(const NetworkView& view) override { record(view); }

 private:
  void record(const NetworkView& view) {
    if (!images_.defined()) images_ = parameters_.first_images(view);
    NoTrace no_trace(view.network);
    at::NoGradGuard no_grad;
    view.network.train();
    parameters_.pass(view.network, images_, [&](int64_t layer, const std::string& prefix, const at::Tensor& value) {
      const at::Tensor sorted = std::get<0>(by_channel(value).sort(1));
      std::vector<at::Tensor> rows;
      for (const double percentile : kPercentiles) rows.push_back(percentile_of_rows(sorted, percentile));
      const at::Tensor all = at::stack(rows).to(at::kFloat).contiguous();
      const auto* values = all.data_ptr<float>();
      view.recorder.array(view.step, layer, prefix + "percentiles", std::vector<float>(values, values + all.numel()),
                          {all.size(0), all.size(1)});
    });
  }

  WatchedValues parameters_;
  at::Tensor images_;
};

}  // namespace

ProbeKind unit_percentiles_probe() {
  return {"unit-percentiles", "the band of values in which each unit's input lies",
          [](const Json& json, const std::string& where, const ProbeSetting& setting) {
            return parse_unit_percentiles(json, where).complete(where, setting);
          },
          [](const ProbeSpec& spec, const ProbeSetting&) { return std::make_unique<UnitPercentiles>(spec); },
          [](const Json& json, const ProbeSetting& setting) {
            return forward_cost(parse_unit_percentiles(json, "parameters").images, setting);
          }};
}

}  // namespace bnlab
