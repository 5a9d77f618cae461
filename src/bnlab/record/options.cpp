#include "bnlab/record/options.h"

#include <nlohmann/json.hpp>

namespace bnlab {

void to_json(nlohmann::json& json, const OptionValue& value) {
  if (value.is_word()) {
    json = value.word();
  } else {
    json = value.number();
  }
}

std::string to_string(const OptionValue& value) {
  return nlohmann::json(value).dump();
}

}  // namespace bnlab
