// Tells the runs that others are at work on from those that they have abandoned, by watching their leases.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <string>

#include "bnlab/record/run_lease.h"

namespace bnlab {

/// How long a lease must have shown no beat before its holder on another machine is taken for gone.
inline constexpr std::chrono::milliseconds kLeasePatience{30'000};

enum class LeaseState { kFree, kHeld, kAbandoned };

struct LeaseSight {
  LeaseState state = LeaseState::kFree;
  LeaseRecord record;  ///< unless there is none
  bool taken = false;  ///< whether there is one: somebody has been at work on the run
};

class LeaseWatch {
 public:
  explicit LeaseWatch(std::chrono::milliseconds patience = kLeasePatience) : patience_(patience) {}

  /// Of the run in `folder`, as seen now and before by this object. kHeld until it has itself seen no change for as
  /// long as its patience lasts; a holder on this machine is gone once the run's FileLock is free. Throws FileError.
  LeaseSight look(const std::filesystem::path& folder);

 private:
  using Clock = std::chrono::steady_clock;
  struct Seen {
    std::string what;
    Clock::time_point since;
  };
  bool unchanged(const std::filesystem::path& file, const std::string& what);
  bool successor_is_gone(const std::filesystem::path& lease, const std::string& token);

  std::chrono::milliseconds patience_;
  std::map<std::filesystem::path, Seen> seen_;
};

/// Watches until it is known whether somebody is at work on the run: at most as long as the patience lasts. Returns the
/// token of an abandoned lease, "" if nobody holds it. Throws RunHeld, FileError.
std::string await_lease(const std::filesystem::path& folder, std::chrono::milliseconds patience = kLeasePatience);

}  // namespace bnlab
