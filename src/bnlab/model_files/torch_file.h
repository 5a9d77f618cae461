// Files of torch.save: a ZIP archive (since PyTorch 1.6), or a row of pickles with the tensors' bytes behind them.
#pragma once

#include <string>

#include "bnlab/model_files/model_bytes.h"
#include "bnlab/model_files/state_dict.h"

namespace bnlab::model_files {

bool claims_torch_zip(const ModelBytes& file);
bool claims_torch_legacy(const ModelBytes& file);

/// key: ReadChoice::key. Nothing in the file is run. Throws ModelFileError.
StateDict torch_zip_state(const ModelBytes& file, const std::string& key);
StateDict torch_legacy_state(const ModelBytes& file, const std::string& key);

}  // namespace bnlab::model_files
