// Options of a normalization that fit layers of few channels.
#pragma once

#include <string>

#include "bnlab/nn/norm_list.h"

namespace bnlab::testing {

/// Complete. The number of channels must be even.
inline Options small_norm_options(const std::string& kind) {
  return complete_options(find_norm_kind(kind).options, kind == "group" ? Options{{"groups", 2}} : Options{}, kind);
}

}  // namespace bnlab::testing
