// A stored benchmark (bench.json) as a section of the report: bars by shape, with intervals and the limit of memory.
#pragma once

#include <vector>

#include "bnlab/record/figure.h"
#include "bnlab/record/json_fields.h"

namespace bnlab::bench {

/// The section's name among the report's experiments.
inline constexpr char kSectionName[] = "operator-benchmark";

/// Plain BN in NCHW and in NHWC, and BN with ReLU and addition in NHWC; those for which `bench` has measurements.
/// bench: what to_json(Results) made. Throws Json::exception if it is something else.
[[nodiscard]] std::vector<Figure> figures(const Json& bench);

/// Appends the section to a report's "experiments" and its figures to "figures".
void add_to_report(const Json& bench, Json& report);

}  // namespace bnlab::bench
