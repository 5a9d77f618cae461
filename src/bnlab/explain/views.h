// A trace for a terminal, for programs, and as a page that computes it again while a person edits it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "bnlab/explain/trace.h"

namespace bnlab {

/// At most 100 columns wide, whatever the table's size: wide tables in parts, of long ones the first and last rows.
std::string trace_text(const Trace& trace);

/// {"mode", "columns", "rows", "eps", "gamma", "beta", "dy", "running_mean", "running_var" (null in training),
///  "nodes": [{"name", "meaning", "formula", "gradient_formula", "inputs", "value", "gradient"}],
///  "closed_form": {"formula", "dx", "dgamma", "dbeta"}, "difference", "notes"}.
/// Matrices (N,C) are arrays of rows; what there is one of a column is one array of C.
nlohmann::json trace_json(const Trace& trace);

/// One HTML file that needs no other: the graph drawn, every number editable, forward and backward step by step.
std::string trace_page(const Trace& trace);

}  // namespace bnlab
