// How large an experiment is run. The scales differ in data, not in code.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace bnlab {

enum class Scale { kSmoke, kQuick, kStandard, kPaper };
std::string to_string(Scale scale);
std::optional<Scale> parse_scale(const std::string& name);
const std::vector<Scale>& all_scales();

}  // namespace bnlab
