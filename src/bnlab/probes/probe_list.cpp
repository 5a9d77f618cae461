#include "bnlab/probes/probe_list.h"

#include "bnlab/probes/accuracy.h"
#include "bnlab/probes/activations.h"
#include "bnlab/probes/bn_theory.h"
#include "bnlab/probes/gradient_sketch.h"
#include "bnlab/probes/ics.h"
#include "bnlab/probes/landscape.h"
#include "bnlab/probes/moment_changes.h"

namespace bnlab {

const std::vector<ProbeKind>& probe_kinds() {
  static const std::vector<ProbeKind> kinds = {accuracy_probe(), activations_probe(), moment_changes_probe(),
                                               ics_probe(),      landscape_probe(),   gradient_sketch_probe(),
                                               bn_theory_probe()};
  return kinds;
}

const ProbeKind* find_probe_kind(const std::string& name) {
  for (const auto& kind : probe_kinds()) {
    if (kind.name == name) return &kind;
  }
  return nullptr;
}

}  // namespace bnlab
