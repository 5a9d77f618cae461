#include <cmath>

#include "bnlab/doctor/damage.h"
#include "bnlab/doctor/departure.h"
#include "bnlab/doctor/views.h"
#include "bnlab/version.h"

namespace bnlab::doctor {
namespace {

Json json_number(double value) {
  if (std::isfinite(value)) return value;
  return std::isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
}

Json json_mean(const Numbers& losses, const Numbers& samples) {
  return losses.empty() ? Json() : json_number(mean_loss(losses, samples));
}

Json json_losses(const std::optional<LossFacts>& losses) {
  if (!losses) return nullptr;
  return {{"kind", losses->kind},
          {"running", json_mean(losses->running, losses->samples)},
          {"batch", json_mean(losses->batch, losses->samples)},
          {"exact", json_mean(losses->exact, losses->samples)}};
}

Json json_finding(const Finding& finding) {
  return {{"id", finding.id},
          {"title", finding.title},
          {"severity", to_string(finding.severity)},
          {"layer", finding.layer},
          {"others", finding.others},
          {"evidence", finding.evidence},
          {"remedy", finding.remedy},
          {"repair", finding.repair},
          {"damage", finding.damage ? json_number(*finding.damage) : Json()}};
}

Json json_layer(const LayerFacts& layer) {
  const auto departure = own_departure_of(layer);
  return {{"name", layer.name},
          {"kind", layer.kind},
          {"departure", departure ? json_number(departure->distance) : Json()},
          {"noise", departure ? json_number(departure->noise) : Json()},
          {"departs", departure ? Json(departure->is_real()) : Json()}};
}

/// The name of the first layer that departs by more than chance, or null.
Json json_first_departing(const Facts& facts) {
  const LayerFacts* first = first_departing(facts);
  const auto departure = first != nullptr ? own_departure_of(*first) : std::nullopt;
  return departure && departure->is_real() ? Json(first->name) : Json();
}

template <class T, class F>
Json json_list(const std::vector<T>& values, const F& json_of) {
  Json list = Json::array();
  for (const T& value : values) list.push_back(json_of(value));
  return list;
}

}  // namespace

std::string to_string(Severity severity) {
  switch (severity) {
    case Severity::kError:
      return "error";
    case Severity::kWarning:
      return "warning";
    case Severity::kNote:
      break;
  }
  return "note";
}

Json report_json(const Facts& facts, const Diagnosis& diagnosis) {
  return {{"schema_version", kReportVersion},
          {"bnlab", kVersion},
          {"model", facts.model},
          {"untrained", diagnosis.untrained},
          {"batches", facts.batches},
          {"losses", json_losses(facts.losses)},
          {"findings", json_list(diagnosis.findings, json_finding)},
          {"not_checked", json_list(diagnosis.not_checked,
                                    [](const NotChecked& rule) {
                                      return Json{{"id", rule.id}, {"title", rule.title}, {"why", rule.why}};
                                    })},
          {"layers", json_list(facts.layers, json_layer)},
          {"first_departing", json_first_departing(facts)},
          {"remarks", facts.remarks},
          {"accepted", 0}};
}

Json pair_report_json(const PairFacts& facts, const Diagnosis& diagnosis) {
  Facts as_one;
  as_one.model = facts.before + " and " + facts.after;
  as_one.remarks = facts.remarks;
  for (const LayerPair& pair : facts.layers) as_one.layers.push_back(pair.after);
  return report_json(as_one, diagnosis);
}

}  // namespace bnlab::doctor
