#include "bnlab/study/scale.h"

#include <utility>

namespace bnlab {
namespace {

const std::vector<std::pair<Scale, std::string>>& scale_names() {
  static const std::vector<std::pair<Scale, std::string>> names = {
      {Scale::kSmoke, "smoke"}, {Scale::kQuick, "quick"}, {Scale::kStandard, "standard"}, {Scale::kPaper, "paper"}};
  return names;
}

}  // namespace

std::string to_string(Scale scale) {
  for (const auto& [value, name] : scale_names()) {
    if (value == scale) return name;
  }
  return "";
}

std::optional<Scale> parse_scale(const std::string& name) {
  for (const auto& [value, known] : scale_names()) {
    if (known == name) return value;
  }
  return std::nullopt;
}

const std::vector<Scale>& all_scales() {
  static const std::vector<Scale> scales = {Scale::kSmoke, Scale::kQuick, Scale::kStandard, Scale::kPaper};
  return scales;
}

}  // namespace bnlab
