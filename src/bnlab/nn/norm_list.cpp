#include "bnlab/nn/norm_list.h"

#include "bnlab/nn/batch_norm.h"
#include "bnlab/nn/find_kind.h"
#include "bnlab/nn/group_norm.h"
#include "bnlab/nn/lp_norm.h"
#include "bnlab/nn/noise.h"

namespace bnlab {

const std::vector<NormKind>& norm_kinds() {
  static const std::vector<NormKind> kinds = {
      {"none", "no normalization", {}, [](int64_t, const Options&) { return nullptr; }},
      batch_norm_kind(),
      noisy_batch_norm_kind(),
      noise_kind(),
      l1_norm_kind(),
      l2_norm_kind(),
      linf_norm_kind(),
      group_norm_kind(),
      layer_norm_kind(),
      scale_kind(),
  };
  return kinds;
}

const NormKind& find_norm_kind(const std::string& kind) {
  return find_kind(norm_kinds(), &NormKind::kind, kind, "normalization");
}

}  // namespace bnlab
