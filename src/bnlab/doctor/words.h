// Numbers and names as evidence says them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bnlab/doctor/facts.h"
#include "bnlab/doctor/findings.h"

namespace bnlab::doctor {

/// "1 layer", "3 layers".
std::string counted(std::size_t count, const std::string& noun);

/// The middle value, the mean of the two middle ones; NaN if empty. NaNs are left out.
double median_of(std::vector<double> values);

/// A finding at the first of these layers, with the others beside it. layers: not empty.
Finding finding_at(const std::vector<const LayerFacts*>& layers);

/// Whether the layer keeps statistics at all.
bool has_statistics(const LayerFacts& layer);

/// Whether the running statistics are those that a layer begins with: means 0 and variances 1.
bool is_at_start(const LayerFacts& layer);

/// Whether nothing says that the model was trained: every gamma and beta is one number, all statistics are at their
/// start, and, where no layer has a gamma, the loss by them is no worse than by others.
bool is_untrained(const Facts& facts);

/// Whether statistics at their start serve better than others: the model was trained while it normalized by them.
bool was_trained_in_evaluation_mode(const Facts& facts);

}  // namespace bnlab::doctor
