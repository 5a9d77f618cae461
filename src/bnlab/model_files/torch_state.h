// The state dicts in what torch.save wrote: plain ones, those of a checkpoint, and whole modules.
#pragma once

#include <string>
#include <vector>

#include "bnlab/model_files/pickle.h"
#include "bnlab/model_files/state_dict.h"

namespace bnlab::model_files {

/// A dict of tensors somewhere in a pickle, or a module.
struct FoundState {
  std::string key;         ///< e.g. "state_dict", "" for the whole, "optimizer.state.0"
  std::size_t layers = 0;  ///< with running_var
  StateDict state;         ///< without read_storages
};

/// In the order of the pickle. Throws ModelFileError.
std::vector<FoundState> find_states(const Pickle& pickle);

/// The one called `key`, or without a key the one with the most layers, then tensors, the first of equals; remarks says
/// what else there was. Throws ModelFileError if there is none.
FoundState choose_state(std::vector<FoundState> found, const std::string& key, const Pickle& pickle);

}  // namespace bnlab::model_files
