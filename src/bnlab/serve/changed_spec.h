// A run that the page asks for: a stored one with another rate, batch, normalization, seed or number of steps.
#pragma once

#include <array>

#include "bnlab/record/run_spec.h"

namespace bnlab {

/// The keys of a spec that a page may change.
inline constexpr std::array<const char*, 5> kChangeableKeys = {"optimizer.lr", "batch", "model.norm.kind", "seed",
                                                               "steps"};

/// `base` with `changes` ({"batch": 64, …}) made. The options of a normalization of another kind are dropped;
/// milestones beyond the last step too. Throws SpecError for an analysis, no changes, another key or a value that
/// cannot be.
TrainSpec changed_spec(const RunSpec& base, const Json& changes);

}  // namespace bnlab
