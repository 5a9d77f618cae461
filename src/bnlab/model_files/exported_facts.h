// What readers of exported graphs share.
#pragma once

#include <string>

#include "bnlab/doctor/facts.h"

namespace bnlab::model_files {

/// The decimal number that a float32 was written for: 1e-5, not 9.99999974737875e-06.
double decimal_of(float value);

/// `name` without the ending; empty if it has another.
std::string without_ending(const std::string& name, const std::string& ending);

/// Adds a layer, or counts a further call of one that is there: of the same name and mode. Throws
/// ModelFileError where there are more than any model has.
void add_layer(doctor::Facts& facts, doctor::LayerFacts layer);

/// What no exported graph shows, into not_collected.
void say_what_an_export_lacks(doctor::Facts& facts);

}  // namespace bnlab::model_files
