#include "bnlab/report/page.h"

#include <fmt/format.h>

#include <stdexcept>

namespace bnlab {

// In JSON "<" stands only inside strings, where \u003c means the same; so no string can end the page's script element.
std::string page_with_data(std::string_view page, std::string_view tag, const std::string& json) {
  const size_t found = page.find(tag);
  if (found == page.npos) throw std::logic_error(fmt::format("the embedded page has no place for its data: {}", tag));
  const size_t place = found + tag.size();
  std::string filled;
  filled.reserve(page.size() + json.size() + json.size() / 16);
  filled += page.substr(0, place);
  for (const char c : json) {
    if (c == '<') {
      filled += "\\u003c";
    } else {
      filled += c;
    }
  }
  filled += page.substr(place);
  return filled;
}

}  // namespace bnlab
