#include "bnlab/record/lease_watch.h"

#include <fmt/format.h>
#include <unistd.h>

#include <thread>

#include "bnlab/record/file_lock.h"
#include "bnlab/record/files.h"
#include "bnlab/record/run_store.h"

namespace bnlab {

bool LeaseWatch::unchanged(const std::filesystem::path& file, const std::string& what) {
  Seen& seen = seen_[file];
  if (seen.what != what) seen = {what, Clock::now()};
  return Clock::now() - seen.since >= patience_;
}

/// Whether nobody is about to replace an abandoned lease. A taker that was killed on its way is tidied away.
bool LeaseWatch::successor_is_gone(const std::filesystem::path& lease, const std::string& token) {
  const auto successor = successor_of(lease, token);
  if (!file_exists(successor)) return true;
  if (!unchanged(successor, "there")) return false;
  ::unlink(successor.c_str());
  return true;
}

LeaseSight LeaseWatch::look(const std::filesystem::path& folder) {
  const RunPaths paths{folder};
  const auto lease = lease_of(folder);
  const auto record = read_lease(lease);
  if (!record) {
    if (!file_exists(lease)) return {};
    return {LeaseState::kHeld, {}, true};  // in the middle of a beat
  }
  if (record->released) return {LeaseState::kFree, *record, true};
  if (record->owner.same_machine(LeaseOwner::this_process())) {
    const bool gone = FileLock::try_lock(paths.lock()).has_value();
    return {gone ? LeaseState::kFree : LeaseState::kHeld, *record, true};
  }
  const bool silent = unchanged(lease, fmt::format("{} {}", record->token, record->beat));
  const bool abandoned = silent && successor_is_gone(lease, record->token);
  return {abandoned ? LeaseState::kAbandoned : LeaseState::kHeld, *record, true};
}

std::string await_lease(const std::filesystem::path& folder, std::chrono::milliseconds patience) {
  LeaseWatch watch(patience);
  const LeaseSight first = watch.look(folder);
  LeaseSight now = first;
  while (now.state == LeaseState::kHeld) {
    const bool alive = now.record.token != first.record.token || now.record.beat != first.record.beat;
    if (alive || now.record.owner.same_machine(LeaseOwner::this_process())) {
      throw RunHeld(fmt::format("{}: another process is computing this run ({}); wait for it, or stop it first",
                                folder.string(), now.record.holder()));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    now = watch.look(folder);
  }
  return now.state == LeaseState::kAbandoned ? now.record.token : "";
}

}  // namespace bnlab
