#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <sstream>

#include "bnlab/doctor/views.h"
#include "bnlab/doctor/words.h"

namespace bnlab::doctor {
namespace {

constexpr std::size_t kTextWidth = 100;
constexpr std::size_t kOthersNamed = 3;

/// Number of characters, not of bytes: names may hold any letters.
std::size_t letters(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

/// Lines of at most kTextWidth characters, the first begun with `head`, the others indented as far as it.
std::string paragraph(const std::string& head, const std::string& text) {
  const std::string indent(letters(head), ' ');
  std::string lines, line = head;
  bool empty = true;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    if (!empty && letters(line) + 1 + letters(word) > kTextWidth) {
      lines += line + "\n";
      line = indent;
      empty = true;
    }
    line += (empty ? "" : " ") + word;
    empty = false;
  }
  return lines + line + "\n";
}

std::string number_text(const Json& json) {
  if (json.is_null()) return "-";
  return json.is_string() ? json.get<std::string>() : fmt::format("{:.4g}", json.get<double>());
}

std::string places_of(const Json& finding) {
  std::string text = finding.at("layer").get<std::string>();
  if (text.empty()) return "";
  const Json& others = finding.at("others");
  for (std::size_t i = 0; i < others.size() && i < kOthersNamed; ++i) text += ", " + others[i].get<std::string>();
  if (others.size() > kOthersNamed) text += fmt::format(" and {} more", others.size() - kOthersNamed);
  return text;
}

std::string cost_of(const Json& damage) {
  if (damage.is_null()) return "";
  if (damage.is_string()) return "; costs the whole loss";
  return damage.get<double>() > 0 ? fmt::format("; costs {:.3g} of loss", damage.get<double>()) : "";
}

std::string finding_text(const Json& finding) {
  const auto word = [&](const char* key) { return finding.at(key).get<std::string>(); };
  std::string text =
      fmt::format("{:<8}{} {}{}\n", word("severity"), word("id"), word("title"), cost_of(finding.at("damage")));
  const std::string places = places_of(finding);
  if (!places.empty()) text += paragraph("        in ", places);
  text += paragraph("        ", word("evidence"));
  std::string remedy = word("remedy");
  if (!word("repair").empty()) remedy += " report." + word("repair") + "() does it.";
  return text + paragraph("        -> ", remedy) + "\n";
}

std::string losses_text(const Json& losses) {
  if (losses.is_null()) return "";
  return fmt::format("loss ({}): {} by running statistics, {} by the batches' own, {} by exact ones\n",
                     losses.at("kind").get<std::string>(), number_text(losses.at("running")),
                     number_text(losses.at("batch")),
                     losses.at("exact").is_null() ? "not taken" : number_text(losses.at("exact")));
}

/// Rules with the same reason stand together.
std::string not_checked_text(const Json& rules) {
  std::vector<std::string> reasons;
  std::map<std::string, std::string> ids;
  for (const Json& rule : rules) {
    const auto why = rule.at("why").get<std::string>();
    if (ids.count(why) == 0) reasons.push_back(why);
    ids[why] += (ids[why].empty() ? "" : ", ") + rule.at("id").get<std::string>();
  }
  std::string text;
  for (const std::string& why : reasons) text += paragraph("not checked: ", ids[why] + ", because " + why + ".");
  return text;
}

}  // namespace

std::string report_text(const Json& report) {
  const Json& findings = report.at("findings");
  const auto batches = report.at("batches").get<std::int64_t>();
  const std::string seen = batches == 0 ? "" : batches == 1 ? ", 1 batch" : fmt::format(", {} batches", batches);
  std::string text = fmt::format("bnlab doctor: {}, {}{}\n", report.at("model").get<std::string>(),
                                 counted(report.at("layers").size(), "batch normalization layer"), seen);
  text += losses_text(report.at("losses"));
  for (const Json& remark : report.value("remarks", Json::array())) text += paragraph("", remark.get<std::string>());
  text += "\n";
  for (const Json& finding : findings) text += finding_text(finding);
  if (findings.empty()) text += report.at("layers").empty() ? "Nothing to look at.\n\n" : "Nothing found.\n\n";
  const auto accepted = report.at("accepted").get<std::size_t>();
  if (accepted > 0) text += counted(accepted, "known finding") + " accepted by the baseline.\n\n";
  return text + not_checked_text(report.at("not_checked"));
}

}  // namespace bnlab::doctor
