// The report's two files: report.json for programs, report.html for people. The page holds the same JSON and everything
// it needs to show it, so it opens anywhere, without a network.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

namespace bnlab {

/// The whole page that shows `report` (report.json's fields, docs/architecture.md). Bytes that are not UTF-8 become
/// U+FFFD, numbers that are not finite become null.
std::string report_page(const nlohmann::json& report);

/// Writes report.html and report.json into `folder`, which is made if it is not there. Each file is replaced whole: on
/// an error (throws FileError, one sentence) a file is still the old one. The page is written first, so that a disk too
/// full for it leaves both as they were.
void write_report(const nlohmann::json& report, const std::filesystem::path& folder);

}  // namespace bnlab
