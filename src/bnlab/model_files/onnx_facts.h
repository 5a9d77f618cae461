// ONNX: the BatchNormalization nodes of a graph, https://onnx.ai/onnx/operators/onnx__BatchNormalization.html.
#pragma once

#include "bnlab/model_files/reader_list.h"

namespace bnlab::model_files {

bool claims_onnx(const ModelBytes& file);

/// A graph without BatchNormalization gives facts without layers, and why. Momentum becomes PyTorch's, the weight of
/// the new batch: ONNX gives that of the old ones. Throws ModelFileError.
doctor::Facts onnx_facts(const ModelBytes& file, const ReadChoice& choice);

}  // namespace bnlab::model_files
