// A page of web/ filled with the data that it shows.
#pragma once

#include <string>
#include <string_view>

namespace bnlab {

/// `page` with `json` right behind `tag`, the opening of its script element for data. Throws std::logic_error if the
/// page does not hold the tag.
std::string page_with_data(std::string_view page, std::string_view tag, const std::string& json);

}  // namespace bnlab
