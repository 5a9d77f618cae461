// A diagnosis for programs, for a terminal, and for tools that read SARIF.
#pragma once

#include <string>

#include "bnlab/doctor/diagnosis.h"
#include "bnlab/doctor/facts.h"
#include "bnlab/doctor/pair.h"
#include "bnlab/record/json_fields.h"

namespace bnlab::doctor {

inline constexpr std::int64_t kReportVersion = 1;

/// {"schema_version": 1, "bnlab", "model", "untrained", "batches",
///  "losses": {"kind", "running", "batch", "exact"} (means over all samples; null where not taken) or null,
///  "findings": [{"id", "title", "severity", "layer", "others", "evidence", "remedy", "repair", "damage"}],
///  "not_checked": [{"id", "title", "why"}],
///  "layers": [{"name", "kind", "departure", "noise", "departs"}] in order of execution (departure.h); null where not
///             known,
///  "first_departing": a layer's name or null,
///  "remarks": [the collector's sentences], "accepted": 0}.
/// A damage is a number, null where it was not measured, or "Infinity".
Json report_json(const Facts& facts, const Diagnosis& diagnosis);

/// The same of two files.
Json pair_report_json(const PairFacts& facts, const Diagnosis& diagnosis);

/// At most 100 columns wide. report: as report_json() makes it. Throws SpecError if it is another.
std::string report_text(const Json& report);

/// SARIF 2.1.0; the layers are logical locations. report: as report_json() makes it.
Json report_sarif(const Json& report);

}  // namespace bnlab::doctor
