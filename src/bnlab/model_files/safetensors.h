// safetensors: 8 bytes of length, a JSON header, the tensors' bytes. https://github.com/huggingface/safetensors
#pragma once

#include "bnlab/model_files/model_bytes.h"
#include "bnlab/model_files/state_dict.h"

namespace bnlab::model_files {

/// Whether the header's length fits the file and is followed by "{".
bool claims_safetensors(const ModelBytes& file);

/// Throws ModelFileError: a header that is no JSON or longer than 100 MB, tensors that overlap, leave gaps, reach
/// beyond the end, or whose bytes do not fit their shape.
StateDict safetensors_state(const ModelBytes& file);

}  // namespace bnlab::model_files
