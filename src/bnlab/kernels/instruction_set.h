// Which SIMD instructions the kernels use: the best that the processor has, unless told otherwise.
//
// The environment variable BNLAB_FORCE_ISA names one for the whole process. A name that is unknown, or that this
// processor lacks, makes every kernel return Status::kBadInstructionSet: a forced set is never silently replaced.
#pragma once

#include <span>

#include "bnlab/kernels/status.h"

namespace bnlab::kernels {

/// The names of those that this build and this processor have, the fastest first: of "avx512", "avx2", "sse4" and
/// "portable" (no SIMD instructions). Never empty.
[[nodiscard]] std::span<const char* const> instruction_sets() noexcept;

/// The name of the one in use; nullptr after a bad BNLAB_FORCE_ISA.
[[nodiscard]] const char* instruction_set() noexcept;

/// Uses the named one from now on, in all threads. Do not call while kernels run.
/// Errors: kBadInstructionSet if it is not among instruction_sets(); then nothing changes.
[[nodiscard]] Status use_instruction_set(const char* name) noexcept;

}  // namespace bnlab::kernels
