// On what a run is computed: whatever may change its bits.
#pragma once

#include <string>

#include "bnlab/record/json_fields.h"

namespace bnlab {

/// {"cpu", "cpu_isa", "isa", "libtorch", "bnlab", "commit"}: processor model, the widest vector instruction set of the
/// processor (by which libtorch and oneDNN choose), the one that our kernels use (see kernels/instruction_set.h),
/// versions. Throws c10::Error after a bad BNLAB_FORCE_ISA.
Json fingerprint();

}  // namespace bnlab
