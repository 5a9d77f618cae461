// Compiles loops-inl.h over BNLAB_ELEMENT for every instruction set, and lists those that the processor has.
// Included by the loops_*.cpp only, once each.
#include "bnlab/kernels/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bnlab/kernels/loops-inl.h"
#include <hwy/foreach_target.h>  // before all others of Highway

#include <vector>

#include "bnlab/kernels/loops-inl.h"
#include "bnlab/kernels/usable_tables.h"

namespace bnlab::kernels {
namespace {

HWY_EXPORT(table);

}  // namespace

template <>
std::span<const Loops<BNLAB_ELEMENT>* const> supported_loops<BNLAB_ELEMENT>() noexcept {
  static const std::vector<const Loops<BNLAB_ELEMENT>*> all = usable_tables(HWY_DISPATCH_TABLE(table));
  return all;
}

}  // namespace bnlab::kernels
