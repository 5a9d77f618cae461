// P01 and P02: what is in one file only, and names that differ.
#include <fmt/format.h>

#include <algorithm>

#include "bnlab/doctor/pair_rules/pair_rules.h"
#include "bnlab/doctor/words.h"

namespace bnlab::doctor {
namespace {

bool is_statistic(const std::string& name) {
  for (const std::string last : {"running_mean", "running_var"}) {
    if (name.size() >= last.size() && name.compare(name.size() - last.size(), last.size(), last) == 0) return true;
  }
  return false;
}

std::string first_names(const std::vector<std::string>& names) {
  constexpr std::size_t kNamed = 3;
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < kNamed; ++i) text += (i == 0 ? "" : ", ") + names[i];
  return text + (names.size() > kNamed ? ", …" : "");
}

std::string only_in(const std::vector<std::string>& names, const std::string& file) {
  return fmt::format("{} only in {}: {}. ", counted(names.size(), "tensor"), file, first_names(names));
}

}  // namespace

Answer tensors_differ(const PairFacts& facts) {
  if (facts.by_order) return Answer::not_checked_because("the files name their tensors differently");
  const bool reshaped = facts.others && !facts.others->reshaped.empty();
  if (facts.missing.empty() && facts.added.empty() && !reshaped) return Answer::none();
  Finding finding;
  const auto lost = std::count_if(facts.missing.begin(), facts.missing.end(), is_statistic);
  if (lost > 0) finding.severity = Severity::kWarning;  // they begin at 0 and 1 in whatever loads the file
  if (!facts.missing.empty()) finding.evidence += only_in(facts.missing, facts.before);
  if (!facts.added.empty()) finding.evidence += only_in(facts.added, facts.after);
  if (reshaped) {
    finding.evidence +=
        fmt::format("{} of another shape or type: {}. ", counted(facts.others->reshaped.size(), "tensor"),
                    first_names(facts.others->reshaped));
  }
  finding.remedy = lost > 0 ? "Store the buffers too (model.state_dict(), not parameters()), or check that the layers "
                              "were folded away on purpose."
                            : "Load with strict=True, which names every key that does not fit.";
  return Answer::of(finding);
}

Answer names_differ(const PairFacts& facts) {
  Finding finding;
  if (facts.by_order) {
    finding.evidence = fmt::format(
        "The files share no names of layers; {} were matched by their order and number of channels, the first {} with "
        "{}.",
        counted(facts.layers.size(), "layer"), facts.layers.front().before.name, facts.layers.front().after.name);
    finding.remedy = "Check that the order of layers is the same in both.";
    return Answer::of(finding);
  }
  if (facts.prefix_before == facts.prefix_after) return Answer::none();
  finding.evidence = fmt::format("Names begin with \"{}\" in {} and with \"{}\" in {}, and agree behind that.",
                                 facts.prefix_before, facts.before, facts.prefix_after, facts.after);
  finding.remedy =
      "Take the prefix off before load_state_dict(); with strict=False nothing would be loaded, and nothing said.";
  return Answer::of(finding);
}

}  // namespace bnlab::doctor
