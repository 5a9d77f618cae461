#include "bnlab/doctor/diagnosis.h"

#include <algorithm>
#include <map>
#include <set>

#include "bnlab/doctor/rules/rule_list.h"
#include "bnlab/doctor/words.h"

namespace bnlab::doctor {
namespace {

/// Findings that explain others, which are then not named a second time.
const std::map<std::string, std::set<std::string>> kCausesOf = {
    {"N01", {"N02", "N03", "N04", "N05", "N07", "N11", "N13", "N15", "N17", "N19"}},
    {"N02", {"N07"}},
    {"N03", {"N07"}},
    {"N09", {"N11"}},
    {"N13", {"N11"}},
};

bool is_explained(const Finding& symptom, const std::vector<Finding>& findings) {
  const auto causes = kCausesOf.find(symptom.id);
  if (causes == kCausesOf.end()) return false;
  return std::any_of(findings.begin(), findings.end(), [&](const Finding& finding) {
    return causes->second.count(finding.id) > 0 && finding.severity >= symptom.severity;
  });
}

void leave_out_explained(std::vector<Finding>& findings) {
  const std::vector<Finding> all = findings;
  findings.erase(std::remove_if(findings.begin(), findings.end(),
                                [&](const Finding& finding) { return is_explained(finding, all); }),
                 findings.end());
}

double rank_of(const Finding& finding) {
  return finding.severity == Severity::kNote ? 0 : std::max(0.0, finding.damage.value_or(0));
}

bool comes_first(const Finding& a, const Finding& b) {
  if (a.severity != b.severity) return a.severity > b.severity;
  return rank_of(a) > rank_of(b);
}

Finding untrained_note() {
  Finding note;
  note.id = "N00";
  note.title = "not trained yet";
  note.evidence =
      "All running statistics are 0 and 1, and every gamma and beta is one number: nothing says that this model was "
      "trained, so there is little to judge.";
  note.remedy = "Train it, or load its weights, and ask again.";
  return note;
}

}  // namespace

Diagnosis diagnose(const Facts& facts) {
  Diagnosis diagnosis;
  for (const Rule& rule : rule_list()) {
    Answer answer = rule.check != nullptr ? rule.check(facts) : Answer::not_checked_because(rule.missing);
    if (answer.findings.empty() && answer.not_checked.empty() && facts.lacks(rule.needs)) {
      answer.not_checked = facts.why_no(rule.needs);
    }
    if (!answer.not_checked.empty()) diagnosis.not_checked.push_back({rule.id, rule.title, answer.not_checked});
    for (Finding& finding : answer.findings) {
      finding.id = rule.id;
      finding.title = rule.title;
      diagnosis.findings.push_back(std::move(finding));
    }
  }
  std::vector<Finding>& findings = diagnosis.findings;
  leave_out_explained(findings);
  if (!facts.layers.empty() && is_untrained(facts)) {
    diagnosis.untrained = true;
    findings.erase(
        std::remove_if(findings.begin(), findings.end(), [](const Finding& finding) { return finding.id != "N15"; }),
        findings.end());
    findings.push_back(untrained_note());
  }
  std::stable_sort(findings.begin(), findings.end(), comes_first);
  return diagnosis;
}

}  // namespace bnlab::doctor
