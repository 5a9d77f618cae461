#include "bnlab/doctor/baseline.h"

#include <set>
#include <utility>

namespace bnlab::doctor {
namespace {

using Known = std::set<std::pair<std::string, std::string>>;

Known accepted_by(const Json& baseline) {
  std::int64_t version = 0;
  Json list;
  JsonFields fields(baseline, "");
  fields.required("schema_version", version).required("accepted", list);
  fields.check(version == kBaselineVersion, "schema_version", std::to_string(kBaselineVersion));
  fields.check(list.is_array(), "accepted", "a list");
  fields.finish();
  Known known;
  for (std::size_t i = 0; i < list.size(); ++i) {
    std::string id, layer;
    JsonFields entry(list[i], "accepted[" + std::to_string(i) + "]");
    entry.required("id", id).required("layer", layer);
    entry.finish();
    known.emplace(id, layer);
  }
  return known;
}

}  // namespace

Json baseline_of(const Json& report) {
  Json accepted = Json::array();
  for (const Json& finding : report.at("findings")) {
    accepted.push_back({{"id", finding.at("id")}, {"layer", finding.at("layer")}});
  }
  return {{"schema_version", kBaselineVersion}, {"accepted", accepted}};
}

Json accept(Json report, const Json& baseline) {
  const Known known = accepted_by(baseline);
  Json kept = Json::array();
  for (const Json& finding : report.at("findings")) {
    const bool is_known =
        known.count({finding.at("id").get<std::string>(), finding.at("layer").get<std::string>()}) > 0;
    if (!is_known) kept.push_back(finding);
  }
  report["accepted"] = report.at("findings").size() - kept.size();
  report["findings"] = std::move(kept);
  return report;
}

}  // namespace bnlab::doctor
