// A whole nn.Module in a pickle: its tensors and settings, read without its class.
#pragma once

#include "bnlab/model_files/pickle.h"
#include "bnlab/model_files/state_dict.h"

namespace bnlab::model_files {

/// Whether the value is an object with _parameters, _buffers and _modules, as every nn.Module has.
bool is_module(const Pickle& pickle, Ref value);

/// Parameters and buffers of a module and those in it, as state_dict() names them, and the settings of modules that
/// have an eps. Throws ModelFileError: nested more than 100 deep, or more than a million modules and tensors.
StateDict module_state(const Pickle& pickle, Ref module);

}  // namespace bnlab::model_files
