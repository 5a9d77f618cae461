// On what a run is computed: whatever may change its bits.
#pragma once

#include <string>

#include "bnlab/record/json_fields.h"

namespace bnlab {

/// {"cpu", "isa", "libtorch", "bnlab", "commit"}: processor model, the widest vector instruction set of the processor,
/// versions.
Json fingerprint();

}  // namespace bnlab
