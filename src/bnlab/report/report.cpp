#include "bnlab/report/report.h"

#include <fmt/format.h>

#include <stdexcept>
#include <string_view>
#include <system_error>

#include "bnlab/record/files.h"
#include "bnlab/report/viewer_page.h"

namespace bnlab {
namespace {

std::string json_text(const nlohmann::json& report) {
  return report.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// In JSON "<" stands only inside strings, where \u003c means the same; so no string can end the page's script element.
std::string page_with(std::string_view json) {
  const std::string_view page = viewer_page();
  const size_t tag = page.find(kReportTag);
  if (tag == page.npos) throw std::logic_error("the embedded report page has no place for a report");
  const size_t place = tag + kReportTag.size();
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

}  // namespace

std::string report_page(const nlohmann::json& report) {
  return page_with(json_text(report));
}

void write_report(const nlohmann::json& report, const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    throw FileError(fmt::format("{}: cannot make this folder for the report: {}; choose another with --out",
                                folder.string(), error.message()));
  }
  const std::string json = json_text(report);
  write_file_atomically(folder / "report.html", page_with(json));
  write_file_atomically(folder / "report.json", json + "\n");
}

}  // namespace bnlab
