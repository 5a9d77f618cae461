// Findings that are accepted: a baseline names them, and reports do not name them again.
#pragma once

#include "bnlab/record/json_fields.h"

namespace bnlab::doctor {

inline constexpr std::int64_t kBaselineVersion = 1;

/// {"schema_version": 1, "accepted": [{"id", "layer"}]} of all findings of a report (views.h).
Json baseline_of(const Json& report);

/// The report without the findings that the baseline accepts; "accepted" counts them. Throws SpecError if it is no
/// baseline.
Json accept(Json report, const Json& baseline);

}  // namespace bnlab::doctor
