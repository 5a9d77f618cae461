#include "bnlab/probes/probe_list.h"

#include <algorithm>

#include "bnlab/probes/accuracy.h"
#include "bnlab/probes/activation_rank.h"
#include "bnlab/probes/activations.h"
#include "bnlab/probes/bn_curvature.h"
#include "bnlab/probes/bn_theory.h"
#include "bnlab/probes/curvature.h"
#include "bnlab/probes/effective_rate.h"
#include "bnlab/probes/gradient_distribution.h"
#include "bnlab/probes/gradient_flow.h"
#include "bnlab/probes/gradient_sketch.h"
#include "bnlab/probes/gradient_terms.h"
#include "bnlab/probes/ics.h"
#include "bnlab/probes/landscape.h"
#include "bnlab/probes/layer_gradients.h"
#include "bnlab/probes/layer_weights.h"
#include "bnlab/probes/moment_changes.h"
#include "bnlab/probes/moments_by_depth.h"
#include "bnlab/probes/output_gradients.h"
#include "bnlab/probes/population_statistics.h"
#include "bnlab/probes/relative_loss.h"
#include "bnlab/probes/sgd_noise.h"
#include "bnlab/probes/shape.h"
#include "bnlab/probes/unit_percentiles.h"
#include "bnlab/probes/update_fractions.h"

namespace bnlab {

namespace {

ProbeKind of_plain_steps(ProbeKind kind) {
  kind.plain_steps_only = true;
  return kind;
}

}  // namespace

const std::vector<ProbeKind>& probe_kinds() {
  static const std::vector<ProbeKind> kinds = {accuracy_probe(),
                                               activations_probe(),
                                               of_plain_steps(moment_changes_probe()),
                                               of_plain_steps(ics_probe()),
                                               of_plain_steps(landscape_probe()),
                                               of_plain_steps(gradient_sketch_probe()),
                                               bn_theory_probe(),
                                               bn_curvature_probe(),
                                               shape_probe(),
                                               population_statistics_probe(),
                                               unit_percentiles_probe(),
                                               layer_gradients_probe(),
                                               gradient_flow_probe(),
                                               gradient_distribution_probe(),
                                               moments_by_depth_probe(),
                                               output_gradients_probe(),
                                               gradient_terms_probe(),
                                               relative_loss_probe(),
                                               of_plain_steps(update_fractions_probe()),
                                               activation_rank_probe(),
                                               effective_rate_probe(),
                                               sgd_noise_probe(),
                                               curvature_probe()};
  return kinds;
}

std::vector<ProbeSpec> default_probes(int64_t steps, int64_t layers, bool plain_steps) {
  const int64_t every = std::max<int64_t>(1, steps / 32);
  const std::vector<int64_t> all = all_if_empty({}, layers);
  std::vector<ProbeSpec> probes = {{"activations", 0, every, true, {{"layers", all}, {"images", 16}, {"samples", 512}}},
                                   {"moment-changes", 0, every, false, {{"layers", all}, {"images", 8}}}};
  std::erase_if(probes,
                [&](const ProbeSpec& probe) { return !plain_steps && find_probe_kind(probe.name)->plain_steps_only; });
  return probes;
}

double forward_cost(int64_t images, const ProbeSetting& setting) {
  return static_cast<double>(images) / (3.0 * static_cast<double>(setting.spec.batch));
}

double pass_cost(int64_t images, const ProbeSetting& setting) {
  constexpr double kStepCalls = 30e6, kPassCalls = 6e6;  // in an example's multiply-accumulates (runs/cost.cpp)
  const auto macs = static_cast<double>(setting.network.macs);
  return (static_cast<double>(images) * macs + kPassCalls) /
         (static_cast<double>(setting.spec.batch) * macs + kStepCalls);
}

void check_sequential(const std::string& name, const std::string& where, const ProbeSetting& setting) {
  if (setting.network.sequential) return;
  throw SpecError(where, "the probe \"" + name + "\" needs a network of layers in a row, e.g. vgg11");
}

const ProbeKind* find_probe_kind(const std::string& name) {
  for (const auto& kind : probe_kinds()) {
    if (kind.name == name) return &kind;
  }
  return nullptr;
}

}  // namespace bnlab
