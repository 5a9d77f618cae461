#include "bnlab/charts/panels.h"

#include <map>

#include "bnlab/charts/specification.h"

namespace bnlab {
namespace {

/// Calls visit(encoding) for each encoding of `channel` by arm, or by anything else, anywhere in the chart.
template <typename Visit>
void for_each_encoding(Json& part, const std::string& channel, bool by_arm, const Visit& visit) {
  if (!part.is_structured()) return;
  for (auto& [key, value] : part.items()) {
    if (part.is_object() && (key == "data" || key == "usermeta")) continue;
    if (key == channel && value.is_object() && value.contains("field") && (value["field"] == "arm") == by_arm) {
      visit(value);
    } else {
      for_each_encoding(value, channel, by_arm, visit);
    }
  }
}

/// Gives all encodings the same scale, so that the charts can share a legend; false if they contradict each other.
bool unify(Json& charts, const std::string& channel) {
  Json names = Json::array(), range = Json::array(), legend;
  std::map<std::string, Json> looks;
  bool agree = true;
  for_each_encoding(charts, channel, true, [&](const Json& encoding) {
    const Json& scale = encoding["scale"];
    if (legend.is_null()) legend = encoding["legend"];
    agree = agree && encoding["legend"] == legend;
    for (size_t i = 0; i < scale["domain"].size(); ++i) {
      const auto [place, is_new] = looks.emplace(scale["domain"][i], scale["range"][i]);
      agree = agree && place->second == scale["range"][i];
      if (!is_new) continue;
      names.push_back(scale["domain"][i]);
      range.push_back(scale["range"][i]);
    }
  });
  if (!agree) return false;
  for_each_encoding(charts, channel, true, [&](Json& encoding) {
    encoding["scale"].update({{"domain", names}, {"range", range}});
  });
  return true;
}

/// Whether all maps that show values as colours have the same scale of colours.
bool same_colors(Json& charts) {
  Json first;
  bool same = true;
  for_each_encoding(charts, "color", false, [&](const Json& encoding) {
    const Json scale = encoding.value("scale", Json());
    if (first.is_null()) first = scale;
    same = same && scale == first;
  });
  return same;
}

}  // namespace

Json panels(const std::vector<Panel>& charts, size_t columns) {
  if (charts.empty()) return charts::no_data("", {});
  Json all = Json::array(), notes = Json::array();
  for (const auto& [title, chart] : charts) {
    Json panel = chart;
    for (const auto& note : notes_of(chart)) notes.push_back(title.empty() ? note : title + ": " + note);
    panel.erase("$schema");
    panel.erase("usermeta");
    panel["title"] = title;
    panel["width"] = 330;
    panel["height"] = 240;
    all.push_back(std::move(panel));
  }
  Json unified = all;
  const bool shared = unify(unified, "color") && unify(unified, "strokeDash") && same_colors(unified);
  Json whole = {{"columns", columns}, {"concat", shared ? unified : all}};
  if (!shared) whole["resolve"] = {{"scale", {{"color", "independent"}, {"strokeDash", "independent"}}}};
  whole = charts::finished(whole, {});
  whole["usermeta"]["notes"] = notes;
  return whole;
}

}  // namespace bnlab
