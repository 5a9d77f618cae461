#include "bnlab/data/data_choice.h"

#include <fmt/format.h>

#include <cstdlib>

#include "bnlab/data/data_error.h"
#include "bnlab/data/dataset_list.h"

namespace bnlab {

DataChoice parse_data_choice(std::string_view text) {
  const auto colon = text.find(':');
  const auto& known = find_known_dataset(text.substr(0, colon));
  DataChoice choice{std::string(known.name), {}};
  if (colon == std::string_view::npos) {
    return choice;
  }
  if (known.format == DataFormat::kSynthetic) {
    throw DataError(fmt::format("--data {}: {} has no files; write --data {}", text, known.name, known.name));
  }
  if (colon + 1 == text.size()) {
    throw DataError(
        fmt::format("--data {}: the path after the colon is empty; write --data {}:PATH", text, known.name));
  }
  choice.path = expand_home(text.substr(colon + 1));
  return choice;
}

std::filesystem::path expand_home(std::string_view path) {
  const char* home = std::getenv("HOME");
  if (home != nullptr && path.starts_with("~/")) {
    return std::filesystem::path(home) / path.substr(2);
  }
  return std::filesystem::path(path);
}

}  // namespace bnlab
