// Ratios of times, made from measurements: peer / ours, paired round by round.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bnlab/bench/results.h"
#include "bnlab/bench/rounds.h"

namespace bnlab::bench {

/// What of a batch's life is compared. kTraining: the forward and the backward pass together.
enum class Part { kTraining, kForwardTraining, kForwardEvaluation, kBackward };
[[nodiscard]] std::string to_string(Part part);

/// As a peer: the faster of kMemcpy and kStreaming, for each step.
inline constexpr char kLimit[] = "limit";
/// As a peer: the faster of kSlabs and kStreamingSlabs.
inline constexpr char kSlabLimit[] = "slab-limit";
/// As a layout: oneDNN in its fastest layout for this batch against ours in our faster one.
inline constexpr char kBest[] = "best";

struct Comparison {
  Level level = Level::kOperator;
  AllocatorKind allocator = AllocatorKind::kNone;
  std::size_t shape = 0;
  std::string layout;  ///< kNchw, kNhwc, kMatrix or kBest
  kernels::Fusion fusion = kernels::Fusion::kNone;
  Part part = Part::kTraining;
  std::string peer;  ///< kPyTorch, kPyTorchInPlace, kOneDnn, kMemcpy, kLimit or kSlabLimit
  std::string our_layout, peer_layout;
  double our_seconds = 0, peer_seconds = 0;  ///< medians
  Interval ratio;                            ///< peer / ours: above 1, ours is faster

  /// Whether it belongs to the layout: a matrix belongs to kNchw and to kNhwc.
  [[nodiscard]] bool is_of(const std::string& wanted) const {
    return layout == wanted || (layout == kMatrix && wanted != kBest);
  }
};

/// All comparisons that the measurements allow, in the order of the measurements.
[[nodiscard]] std::vector<Comparison> compare(const Results& results);

}  // namespace bnlab::bench
