#pragma once

#include <vector>

namespace bnlab::doctor {

/// One value a channel or a batch; any of them may be NaN or infinite, which JSON writes as "NaN", "Infinity" and
/// "-Infinity".
using Numbers = std::vector<double>;

}  // namespace bnlab::doctor
