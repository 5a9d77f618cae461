// What the page may do in the browser (https://www.w3.org/TR/CSP3/).
#pragma once

#include <string>
#include <string_view>

namespace bnlab {

/// The value of the Content-Security-Policy header for `page`: of scripts only those that stand in it run, by their
/// SHA-256; it asks no other server, and no page from elsewhere holds it in a frame.
std::string page_policy(std::string_view page);

}  // namespace bnlab
