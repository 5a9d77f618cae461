// What a kernel can report. Kernels never print, throw or abort.
#pragma once

namespace bnlab::kernels {

enum class Status {
  kOk,
  kBadShape,           ///< a negative size
  kEmptyBatch,         ///< training statistics of channels that have no element (N*S == 0 with C > 0)
  kBadEps,             ///< eps is negative, infinite or NaN
  kOutOfRange,         ///< a standard deviation that the arithmetic does not serve; the outputs are unspecified
  kOutOfMemory,        ///< no memory for the partial results; the outputs are unspecified
  kBadInstructionSet,  ///< BNLAB_FORCE_ISA, or a call, names instructions that do not exist or that the processor lacks
};

/// One sentence for people.
[[nodiscard]] constexpr const char* message(Status status) noexcept {
  switch (status) {
    case Status::kOk:
      return "no error";
    case Status::kBadShape:
      return "a size is negative";
    case Status::kEmptyBatch:
      return "the batch holds no element per channel, so it has no mean and no variance";
    case Status::kBadEps:
      return "eps must be finite and not negative";
    case Status::kOutOfRange:
      return "a channel's mean or standard deviation is outside of the range that its type can be normalized in";
    case Status::kOutOfMemory:
      return "out of memory for the partial results of the channels";
    case Status::kBadInstructionSet:
      return "no such instruction set on this machine; BNLAB_FORCE_ISA may be avx512, avx2, sse4 or portable";
  }
  return "unknown status";
}

}  // namespace bnlab::kernels
