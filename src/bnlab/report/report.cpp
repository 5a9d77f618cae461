#include "bnlab/report/report.h"

#include <fmt/format.h>

#include <system_error>

#include "bnlab/record/files.h"
#include "bnlab/report/page.h"
#include "bnlab/report/viewer_page.h"

namespace bnlab {
namespace {

std::string json_text(const nlohmann::json& report) {
  return report.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string page_with(const std::string& json) {
  return page_with_data(viewer_page(), kReportTag, json);
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
