// The value of --probe.
#pragma once

#include <string>

#include "bnlab/record/json_fields.h"

namespace bnlab {

/// "name" or "name:key=value,key=value" as a probe of a spec. every, from and at_end are the schedule's, the rest are
/// parameters, whose values are JSON or plain words: "activations:every=20,layers=[2,7]". Throws SpecError naming the
/// flag.
Json parse_probe_flag(const std::string& text);

}  // namespace bnlab
