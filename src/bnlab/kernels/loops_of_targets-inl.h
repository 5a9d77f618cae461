// Compiles loops-inl.h over BNLAB_ELEMENT for every instruction set, and lists those that the processor has.
// Included by the loops_*.cpp only, once each.
//
// The sets are AVX-512, AVX2 with FMA, SSE4, and Highway's portable code. Highway's others would differ from these in
// name, not in the loops' speed.
#define HWY_DISABLED_TARGETS (HWY_SSSE3)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bnlab/kernels/loops-inl.h"
#include <hwy/foreach_target.h>  // before all others of Highway
#include <hwy/targets.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "bnlab/kernels/loops-inl.h"

namespace bnlab::kernels {
namespace {

HWY_EXPORT(table);

// Highway's bits of the sets that this processor has, the fastest first; the portable one is always the last.
std::vector<std::int64_t> usable_targets() {
  std::vector<std::int64_t> targets = hwy::SupportedAndGeneratedTargets();
  if (targets.empty() || targets.back() != HWY_STATIC_TARGET) targets.push_back(HWY_STATIC_TARGET);
  return targets;
}

std::vector<const Loops<BNLAB_ELEMENT>*> usable_tables() {
  std::vector<const Loops<BNLAB_ELEMENT>*> found;
  for (const std::int64_t target : usable_targets()) {
    hwy::ChosenTarget chosen;
    chosen.Update(target);
    found.push_back(HWY_DISPATCH_TABLE(table)[chosen.GetIndex()]());
  }
  return found;
}

}  // namespace

template <>
std::span<const Loops<BNLAB_ELEMENT>* const> supported_loops<BNLAB_ELEMENT>() noexcept {
  static const std::vector<const Loops<BNLAB_ELEMENT>*> all = usable_tables();
  return all;
}

}  // namespace bnlab::kernels
