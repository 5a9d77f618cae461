// What a benchmark has measured, as plain data.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bnlab/bench/shapes.h"
#include "bnlab/kernels/batch_norm.h"

namespace bnlab::bench {

/// "operator": through libtorch, outputs allocated by each call. "kernel": on raw memory, outputs allocated before.
enum class Level { kOperator, kKernel };
enum class Step { kForwardTraining, kForwardEvaluation, kBackward };
inline constexpr Step kSteps[] = {Step::kForwardTraining, Step::kForwardEvaluation, Step::kBackward};
/// kNone: the kernel level. kCaching: bnlab::ops::install_allocator().
enum class AllocatorKind { kNone, kDefault, kCaching };

/// Names of the contenders, and of the layouts of their batches.
inline constexpr char kOurs[] = "bnlab";
inline constexpr char kPyTorch[] = "pytorch";
inline constexpr char kPyTorchInPlace[] = "pytorch-inplace";  ///< relu_ and add_ where the fused forms are compared
inline constexpr char kOneDnn[] = "onednn";
inline constexpr char kMemcpy[] = "memcpy";        ///< the least memory traffic, with ordinary stores
inline constexpr char kStreaming[] = "streaming";  ///< the same, with stores that bypass the caches
inline constexpr char kSlabs[] = "slabs";          ///< the same traffic as our kernels', slab after slab
inline constexpr char kStreamingSlabs[] = "streaming-slabs";
inline constexpr char kNchw[] = "nchw";
inline constexpr char kNhwc[] = "nhwc";
inline constexpr char kMatrix[] = "nc";  ///< (N,C): both of the above at once
inline constexpr char kBlocked[] = "nChw16c";

/// One contender's time for one step on one batch.
struct Measurement {
  Level level = Level::kOperator;
  AllocatorKind allocator = AllocatorKind::kNone;
  std::size_t shape = 0;  ///< index into Results::shapes
  std::string layout;
  kernels::Fusion fusion = kernels::Fusion::kNone;
  Step step = Step::kForwardTraining;
  std::string contender;
  std::string implementation = {};   ///< what the contender calls the code that ran, if it says so
  std::int64_t calls = 1;            ///< in a sample
  std::vector<double> seconds = {};  ///< of one call, a value a round
};

/// A digest of what our kernels computed on a batch: equal bits give equal digests.
struct OurResult {
  std::size_t shape = 0;
  std::string layout;
  kernels::Fusion fusion = kernels::Fusion::kNone;
  std::string digest;
};

/// Why a contender was not measured.
enum class WhyLeftOut { kNotImplemented, kWrongResult };

/// A peer that was not measured. kNotImplemented: in `cases` cases (a batch, layout, fusion and allocator each).
/// kWrongResult: in the case that is named.
struct LeftOut {
  std::string contender;  ///< kPyTorch stands for its in-place form, too, where it is not implemented
  WhyLeftOut why = WhyLeftOut::kNotImplemented;
  Level level = Level::kOperator;
  std::string reason;  ///< a clause, e.g. "its dx is wrong …"
  AllocatorKind allocator = AllocatorKind::kNone;
  std::size_t shape = 0;
  std::string layout = {};
  kernels::Fusion fusion = kernels::Fusion::kNone;
  std::int64_t cases = 1;
};

struct Environment {
  std::string cpu, instruction_set, libtorch, onednn, highway, bnlab, commit, date;
  std::vector<int> processors;  ///< of each thread
  std::int64_t level2_bytes = 0, last_level_bytes = 0;
  double load_before = 0, load_after = 0;  ///< average of a minute
};

struct Results {
  Environment environment;
  std::string element;  ///< one of kElementTypes' names
  int rounds = 0;
  std::vector<NamedShape> shapes;
  std::vector<Measurement> measurements;
  std::vector<OurResult> our_results;
  std::vector<LeftOut> left_out;
};

/// Notes that a peer is left out. Cases in which it is not implemented, for one reason, are counted in one entry.
void leave_out(LeftOut left_out, Results& results);

/// One sentence, without a line break.
[[nodiscard]] std::string sentence_of(const LeftOut& left_out, const Results& results);

[[nodiscard]] std::string to_string(Level level);
[[nodiscard]] std::string to_string(Step step);
[[nodiscard]] std::string to_string(kernels::Fusion fusion);
[[nodiscard]] std::string to_string(AllocatorKind allocator);
[[nodiscard]] std::string to_string(WhyLeftOut why);

}  // namespace bnlab::bench
