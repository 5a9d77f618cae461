#pragma once

#include "bnlab/runs/data_facts.h"
#include "tests/small_run.h"

namespace bnlab::testing {

inline DataFacts facts() {
  return facts_of(small_dataset());
}

}  // namespace bnlab::testing
