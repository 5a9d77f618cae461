// Source: SARIF 2.1.0, OASIS 2020. A model has no files and lines; its layers are logical locations (3.33).
#include "bnlab/doctor/rules/rule_list.h"
#include "bnlab/doctor/views.h"

namespace bnlab::doctor {
namespace {

Json location_of(const std::string& layer) {
  return {{"logicalLocations", Json::array({{{"fullyQualifiedName", layer}, {"kind", "member"}}})}};
}

Json sarif_result(const Json& finding, const std::string& model) {
  Json locations = Json::array();
  const auto add = [&](const std::string& layer) { locations.push_back(location_of(layer.empty() ? model : layer)); };
  add(finding.at("layer").get<std::string>());
  for (const Json& other : finding.at("others")) add(other.get<std::string>());
  return {{"ruleId", finding.at("id")},
          {"level", finding.at("severity")},
          {"message",
           {{"text", finding.at("evidence").get<std::string>() + " " + finding.at("remedy").get<std::string>()}}},
          {"locations", locations},
          {"partialFingerprints",
           {{"bnlabFinding/v1", finding.at("id").get<std::string>() + ":" + finding.at("layer").get<std::string>()}}},
          {"properties", {{"damage", finding.at("damage")}}}};
}

}  // namespace

Json report_sarif(const Json& report) {
  Json rules = Json::array({{{"id", "N00"}, {"shortDescription", {{"text", "not trained yet"}}}}});
  for (const Rule& rule : rule_list()) {
    rules.push_back({{"id", rule.id}, {"shortDescription", {{"text", rule.title}}}});
  }
  Json results = Json::array();
  for (const Json& finding : report.at("findings")) {
    results.push_back(sarif_result(finding, report.at("model").get<std::string>()));
  }
  return {{"version", "2.1.0"},
          {"$schema", "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"},
          {"runs",
           Json::array(
               {{{"tool", {{"driver", {{"name", "bnlab doctor"}, {"version", report.at("bnlab")}, {"rules", rules}}}}},
                 {"results", results}}})}};
}

}  // namespace bnlab::doctor
