#include "bnlab/probes/probe_list.h"

#include "bnlab/probes/accuracy.h"
#include "bnlab/probes/activations.h"

namespace bnlab {

const std::vector<ProbeKind>& probe_kinds() {
  static const std::vector<ProbeKind> kinds = {accuracy_probe(), activations_probe()};
  return kinds;
}

const ProbeKind* find_probe_kind(const std::string& name) {
  for (const auto& kind : probe_kinds()) {
    if (kind.name == name) return &kind;
  }
  return nullptr;
}

}  // namespace bnlab
