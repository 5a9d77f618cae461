// Whether tensors are the same, without keeping them.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "bnlab/model_files/state_dict.h"

namespace bnlab::model_files {

/// By name: a number of 64 bits that differs, but for chance, where shape or bytes do. Each storage is read once.
/// Throws ModelFileError.
std::map<std::string, std::uint64_t> tensor_digests(const StateDict& state);

}  // namespace bnlab::model_files
