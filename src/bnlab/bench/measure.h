// Times contenders against each other in rounds: each round takes one sample of every contender, so that whatever
// changes on the machine while the rounds go on (clock rate, neighbours, temperature) falls on all of them alike.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace bnlab::bench {

struct Contender {
  std::string name;
  std::function<void()> run;  ///< the operation once
};

struct MeasureOptions {
  int rounds = 9;
  double sample_seconds = 2e-3;  ///< a sample repeats the operation for at least about this long
};

struct Samples {
  std::int64_t calls = 1;       ///< operations in a sample
  std::vector<double> seconds;  ///< for one operation, a value a round
};

/// The samples of each contender, in their order. Before: two calls of each to warm up and to choose how many make a
/// sample. Rounds go through the contenders alternately forwards and backwards; before each sample one call is not
/// timed, so that a contender finds the caches as it left them itself.
[[nodiscard]] std::vector<Samples> measure(std::span<const Contender> contenders, const MeasureOptions& options);

}  // namespace bnlab::bench
