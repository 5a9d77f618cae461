#include "bnlab/probes/probe_list.h"

#include <algorithm>

#include "bnlab/probes/accuracy.h"
#include "bnlab/probes/activations.h"
#include "bnlab/probes/bn_curvature.h"
#include "bnlab/probes/bn_theory.h"
#include "bnlab/probes/gradient_sketch.h"
#include "bnlab/probes/ics.h"
#include "bnlab/probes/landscape.h"
#include "bnlab/probes/layer_weights.h"
#include "bnlab/probes/moment_changes.h"

namespace bnlab {

const std::vector<ProbeKind>& probe_kinds() {
  static const std::vector<ProbeKind> kinds = {accuracy_probe(),  activations_probe(), moment_changes_probe(),
                                               ics_probe(),       landscape_probe(),   gradient_sketch_probe(),
                                               bn_theory_probe(), bn_curvature_probe()};
  return kinds;
}

std::vector<ProbeSpec> default_probes(int64_t steps, int64_t layers) {
  const int64_t every = std::max<int64_t>(1, steps / 32);
  const std::vector<int64_t> all = all_if_empty({}, layers);
  return {{"activations", 0, every, true, {{"layers", all}, {"images", 16}, {"samples", 512}}},
          {"moment-changes", 0, every, false, {{"layers", all}, {"images", 8}}}};
}

double forward_cost(int64_t images, const ProbeSetting& setting) {
  return static_cast<double>(images) / (3.0 * static_cast<double>(setting.spec.batch));
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
