// What the doctor says: findings with their evidence, and what it could not check.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace bnlab::doctor {

/// By measured damage alone; what is unusual but harms nothing that was measured is a note.
enum class Severity { kNote, kWarning, kError };

struct Finding {
  std::string id;     ///< "N01"; what it means: docs/doctor.md
  std::string title;  ///< e.g. "statistics never set or not loaded"
  Severity severity = Severity::kNote;
  std::string layer;                ///< where it begins; empty if it is of the whole model
  std::vector<std::string> others;  ///< further layers that have it
  std::string evidence;             ///< a sentence with numbers
  std::string remedy;               ///< what to do
  std::string repair;               ///< the report's method that does it, e.g. "recalibrate"; empty if there is none
  std::optional<double> damage;     ///< loss that the remedy recovers, measured; infinite if the loss is not finite
};

/// A rule's answer: findings, none if all is well, or why it could not look.
struct Answer {
  std::vector<Finding> findings;
  std::string not_checked;  ///< completes "not checked, because …"; empty if it was checked

  static Answer none() { return {}; }
  static Answer not_checked_because(std::string why) { return {{}, std::move(why)}; }
  static Answer of(Finding finding) { return {{std::move(finding)}, {}}; }
};

std::string to_string(Severity severity);

}  // namespace bnlab::doctor
