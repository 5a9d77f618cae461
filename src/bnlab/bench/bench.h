// bnlab bench: our operators against PyTorch's, our kernels against oneDNN's and against the limit of memory, all in
// this process and interleaved.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bnlab/bench/results.h"

namespace bnlab::bench {

inline constexpr int kRounds = 9;
inline constexpr int kQuickRounds = 5;

struct BenchOptions {
  std::vector<NamedShape> shapes;
  std::string element = "f32";  ///< one of kElementTypes' names
  std::string instruction_set;  ///< of our kernels, as BNLAB_FORCE_ISA; "" for the best
  int threads = 2;
  int rounds = kRounds;
  double sample_seconds = 2e-3;  ///< a timing repeats its operation for at least this long
  /// Told from time to time how much is done (0 to 1) and what comes next.
  std::function<void(double, const std::string&)> progress = [](double, const std::string&) {};
  /// Told once of each case in which a peer is left out because its results are wrong: a sentence.
  std::function<void(const std::string&)> warn = [](const std::string&) {};
};

/// Measures all shapes in both layouts, for all fusions and passes. Before a batch is timed, all contenders' results on
/// it are compared: a peer whose results are wrong is left out there (Results::left_out). Throws std::runtime_error if
/// ours are wrong. Throws std::invalid_argument for an unknown element, an
/// instruction set that does not exist here, and more threads than processors.
[[nodiscard]] Results run_bench(const BenchOptions& options);

/// One of each kind, for a first look.
[[nodiscard]] std::vector<NamedShape> quick_shapes();

}  // namespace bnlab::bench
