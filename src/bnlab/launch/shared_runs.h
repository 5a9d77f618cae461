// Runs in a folder on which other processes may be at work, too, on this machine or on others.
#pragma once

#include <filesystem>
#include <string>

#include "bnlab/record/lease_watch.h"

namespace bnlab {

/// What can be done with a run now.
struct Outlook {
  enum class Kind { kFree, kEnded, kHeld, kFailed };
  Kind kind = Kind::kFree;
  std::string text;        ///< kHeld: by whom; kFailed: why, one sentence
  std::string abandoned;   ///< kFree: token of the lease to be taken over, or ""
  double fraction = 0;     ///< of the run's work, as its holder said last
  LeaseRecord lease = {};  ///< of whoever is or was at work on it, if any
};

class SharedRuns {
 public:
  SharedRuns(std::filesystem::path runs, std::filesystem::path logs, std::chrono::milliseconds patience)
      : runs_(std::move(runs)), logs_(std::move(logs)), watch_(patience), patience_(patience) {}

  /// Cheap while nobody has been at work on the run. Throws FileError; a run that is damaged is free, so that whoever
  /// computes it says what is wrong.
  Outlook look(const std::string& id);

  std::chrono::milliseconds patience() const { return patience_; }

 private:
  std::filesystem::path runs_, logs_;
  LeaseWatch watch_;
  std::chrono::milliseconds patience_;
};

/// OUT/logs/ID.failed says why the last attempt at a run failed, for processes that did not make it. Errors of the file
/// system are passed over: nothing depends on the note.
void note_failure(const std::filesystem::path& logs, const std::string& id, const std::string& why);
void forget_failure(const std::filesystem::path& logs, const std::string& id);
/// "" if there is no note.
std::string noted_failure(const std::filesystem::path& logs, const std::string& id);

}  // namespace bnlab
