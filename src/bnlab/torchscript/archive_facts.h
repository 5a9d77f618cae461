#pragma once

#include <torch/csrc/jit/api/module.h>

#include <string>

#include "bnlab/doctor/facts.h"

namespace bnlab::torchscript {

/// What the tensors of an archive without forward() say, as a state dict does. Throws ModelFileError if there is no
/// batch normalization.
doctor::Facts archive_facts(const torch::jit::Module& module, const std::string& name);

}  // namespace bnlab::torchscript
