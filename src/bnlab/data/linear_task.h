// A synthetic regression: a random linear map, to be learned by a deep linear network.
// Source: Santurkar et al. 2018, section 2.1 and appendix A.
#pragma once
#include <cstdint>

#include "bnlab/data/dataset.h"

namespace bnlab {

struct LinearTaskSpec {
  int64_t width = 10;  ///< of x and of its target
  int64_t count = 1000;
  uint64_t seed = 1;
};

/// x ~ N(0, I), images (count, width, 1, 1); targets A*x (count, width), A with independent N(0, 1) entries, one A for
/// both splits. The same bits on every machine. DataError: a width or count below 1.
Dataset make_linear_task(const LinearTaskSpec& spec);

}  // namespace bnlab
