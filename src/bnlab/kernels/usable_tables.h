// Which of the tables that Highway's foreach_target.h has compiled this processor runs. Included after it.
#pragma once

#include <hwy/targets.h>

#include <cstdint>
#include <vector>

namespace bnlab::kernels {

/// Highway's bits of the sets that this processor has, the fastest first; the portable one is always the last.
static inline std::vector<std::int64_t> usable_targets() {
  std::vector<std::int64_t> targets = hwy::SupportedAndGeneratedTargets();
  if (targets.empty() || targets.back() != HWY_STATIC_TARGET) targets.push_back(HWY_STATIC_TARGET);
  return targets;
}

/// Their tables, in that order. `tables`: HWY_DISPATCH_TABLE of a function that returns one.
template <class TableOf>
auto usable_tables(const TableOf* tables) {
  std::vector<decltype(tables[0]())> found;
  for (const std::int64_t target : usable_targets()) {
    hwy::ChosenTarget chosen;
    chosen.Update(target);
    found.push_back(tables[chosen.GetIndex()]());
  }
  return found;
}

}  // namespace bnlab::kernels
