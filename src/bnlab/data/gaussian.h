// A synthetic set of known distribution: classes are unit normal clouds around random centres.
#pragma once
#include <cstdint>

#include "bnlab/data/dataset.h"

namespace bnlab {

struct GaussianSpec {
  int64_t classes = 10;
  int64_t channels = 1;
  int64_t size = 8;  ///< height and width
  int64_t train_count = 4000;
  int64_t test_count = 1000;
  double separation = 6.0;  ///< root mean square distance of two centres; each class has standard deviation 1
  uint64_t seed = 1;
};

/// x ~ N(centre of its class, identity), float32; centre ~ N(0, separation^2 / (2 dimensions)); the classes take turns.
/// The same bits on every machine for any number of threads. DataError: a count or size below 1, or fewer than 2
/// classes.
Dataset make_gaussian(const GaussianSpec& spec);

}  // namespace bnlab
