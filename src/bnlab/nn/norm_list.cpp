#include "bnlab/nn/norm_list.h"

#include "bnlab/nn/batch_norm.h"
#include "bnlab/nn/find_kind.h"

namespace bnlab {

const std::vector<NormKind>& norm_kinds() {
  static const std::vector<NormKind> kinds = {
      {"none", "no normalization", {}, [](int64_t, const Options&) { return nullptr; }},
      batch_norm_kind(),
  };
  return kinds;
}

const NormKind& find_norm_kind(const std::string& kind) {
  return find_kind(norm_kinds(), &NormKind::kind, kind, "normalization");
}

}  // namespace bnlab
