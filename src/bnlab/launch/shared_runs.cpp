#include "bnlab/launch/shared_runs.h"

#include <system_error>

#include "bnlab/record/files.h"
#include "bnlab/record/run_store.h"

namespace bnlab {
namespace {

std::filesystem::path note_of(const std::filesystem::path& logs, const std::string& id) {
  return logs / (id + ".failed");
}

bool ended_for_sure(const std::filesystem::path& folder) {
  try {
    return run_ended(folder);
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace

Outlook SharedRuns::look(const std::string& id) {
  const auto folder = runs_ / id;
  const LeaseSight sight = watch_.look(folder);
  Outlook outlook{Outlook::Kind::kFree, "", "", sight.record.fraction, sight.record};
  if (sight.state == LeaseState::kHeld) {
    outlook.kind = Outlook::Kind::kHeld;
    outlook.text = sight.record.holder();
    return outlook;
  }
  if (sight.taken && ended_for_sure(folder)) {
    outlook.kind = Outlook::Kind::kEnded;
  } else if (outlook.text = noted_failure(logs_, id); !outlook.text.empty()) {
    outlook.kind = Outlook::Kind::kFailed;
  } else if (sight.state == LeaseState::kAbandoned) {
    outlook.abandoned = sight.record.token;
  }
  return outlook;
}

void note_failure(const std::filesystem::path& logs, const std::string& id, const std::string& why) {
  try {
    write_file_atomically(note_of(logs, id), why + "\n");
  } catch (const FileError&) {
  }
}

void forget_failure(const std::filesystem::path& logs, const std::string& id) {
  std::error_code ignored;
  std::filesystem::remove(note_of(logs, id), ignored);
}

std::string noted_failure(const std::filesystem::path& logs, const std::string& id) {
  try {
    const auto note = note_of(logs, id);
    if (!file_exists(note)) return "";
    const std::string text = read_file(note);
    return text.substr(0, text.find('\n'));
  } catch (const FileError&) {
    return "";
  }
}

}  // namespace bnlab
