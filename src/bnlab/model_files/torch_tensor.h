// A tensor's place and type from its pickle.
#pragma once

#include <optional>
#include <string>

#include "bnlab/model_files/pickle.h"
#include "bnlab/model_files/state_dict.h"

namespace bnlab::model_files {

/// tensor: of kind kTensor. Throws ModelFileError if its shape or strides are no numbers, or its type is not known.
StoredTensor torch_tensor(const Pickle& pickle, Ref tensor, const std::string& name);

/// Of "torch.FloatStorage", "torch.cuda.HalfStorage", …; none of other names.
std::optional<Element> element_of_storage(const std::string& type);

}  // namespace bnlab::model_files
