// The report's page without a report in it: web/, built to one HTML file and embedded by cmake/bnlab_viewer.cmake.
#pragma once

#include <string_view>

namespace bnlab {

/// The page. It holds `kReportTag` exactly once; the report's JSON belongs right behind it.
std::string_view viewer_page();

inline constexpr std::string_view kReportTag = R"(<script type="application/json" id="bnlab-report">)";

}  // namespace bnlab
