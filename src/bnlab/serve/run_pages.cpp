#include "bnlab/serve/run_pages.h"

#include <algorithm>

#include "bnlab/record/curve.h"
#include "bnlab/record/parse_json.h"

namespace bnlab {
namespace {

constexpr uint64_t kMostLog = 64 << 10;

Json parsed_or_null(const std::string& text) {
  return text.empty() ? Json() : parse_json(text, "the run's record");
}

/// The last `most` bytes of a file, from the start of a line.
std::string end_of_file(const std::filesystem::path& path, uint64_t most) {
  std::string text = read_file(path);
  if (text.size() <= most) return text;
  text.erase(0, text.size() - most);
  return text.erase(0, std::min(text.find('\n') + 1, text.size()));
}

}  // namespace

Json run_details(const WatchedFolder& folder, const std::string& id) {
  const auto place = folder.run_folder(id);
  if (!place) return nullptr;
  const RunSpec spec = read_spec(RunPaths{*place});
  Json details = to_json(folder.summary(id).value_or(summary_of_spec(id, spec)));
  details["spec"] = Json::parse(canonical_json(spec));
  details["fingerprint"] = details["probe_seconds"] = nullptr;
  details["series"] = Json::array();
  if (!file_exists(RunPaths{*place}.database())) return details;
  RunReader reader(*place);
  if (!reader.begun()) return details;
  details["fingerprint"] = reader.meta("fingerprint");
  details["probe_seconds"] = parsed_or_null(reader.meta("probe_seconds"));
  for (const auto& [key, points] : reader.series()) {
    details["series"].push_back({{"probe", key.probe}, {"layer", key.layer}, {"name", key.name}, {"points", points}});
  }
  return details;
}

Json run_series(const WatchedFolder& folder, const std::string& id, const Key& key, size_t most, int64_t from) {
  const auto place = folder.run_folder(id);
  if (!place) return nullptr;
  Series series;
  if (file_exists(RunPaths{*place}.database())) {
    RunReader reader(*place);
    if (reader.begun()) series = reader.scalars(key);
  }
  const auto first = std::upper_bound(series.steps.begin(), series.steps.end(), from) - series.steps.begin();
  series.steps.erase(series.steps.begin(), series.steps.begin() + first);
  series.values.erase(series.values.begin(), series.values.begin() + first);
  return to_json(thinned(series, most));
}

Json run_log(const WatchedFolder& folder, const std::string& id) {
  if (!folder.run_folder(id)) return nullptr;
  const auto log = folder.file(std::filesystem::path("logs") / (id + ".log"));
  return {{"log", log ? end_of_file(*log, kMostLog) : ""}};
}

}  // namespace bnlab
