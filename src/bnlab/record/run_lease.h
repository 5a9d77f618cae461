// Who is at work on a run: one process at a time, on any of the machines that share the folder.
//
// The file `lease` in the run's folder names its holder, who rewrites it in place every two seconds. It is never
// removed, only ever replaced, and only through the one name that belongs to what it replaces:
//
// - without a lease, a taker links its own file to `lease`: link() fails if the name exists, so one of many gets it;
// - a lease that was given back, or that is abandoned, with the token T, is replaced by linking one's own file to
//   `lease.after-T`, which again one of many can, and renaming that to `lease`.
//
// A holder that was only slow finds another token there, and must end: it looks before each change of what is on the
// disk (execute_run). Who may be taken for gone: on the same machine, a process whose FileLock is free, since the
// kernel keeps that for exactly as long as the process lives; on another one, whoever has not beaten for a while by the
// watcher's own clock (lease_watch.h). Clocks of two machines are never compared.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "bnlab/record/run_store.h"

namespace bnlab {

/// Another process is at work on the run: to be left to it, or tried again later.
class RunHeld : public StoreError {
  using StoreError::StoreError;
};

/// This process has lost the run to another one, which took it for abandoned. It must write nothing more there.
class LeaseLost : public StoreError {
  using StoreError::StoreError;
};

inline constexpr std::chrono::milliseconds kLeaseBeat{2000};

/// A process that may hold runs.
struct LeaseOwner {
  std::string host;  ///< SLURMD_NODENAME if set, else the host's name
  std::string boot;  ///< of the kernel; with the host's name, tells the machine
  std::string job;   ///< the Slurm job, e.g. "17_3", or ""
  int64_t pid = 0;
  static LeaseOwner this_process();
  bool same_machine(const LeaseOwner& other) const;
};

struct LeaseRecord {
  std::string token;  ///< of this taking: random
  LeaseOwner owner;
  int64_t generation = 1;  ///< how often the run has been taken
  int64_t beat = 0;
  double fraction = 0;  ///< of the run's work, 0 to 1, as of the last beat
  bool released = false;
  /// "n1, process 1234, Slurm job 17_3"
  std::string holder() const;
};

/// The lease in `file`; absent if there is none, or none that can be read: half of a beat. Throws FileError.
std::optional<LeaseRecord> read_lease(const std::filesystem::path& file);

/// The lease of the run in `folder`.
std::filesystem::path lease_of(const std::filesystem::path& folder);

/// Where the successor of the lease with this token is made.
std::filesystem::path successor_of(const std::filesystem::path& file, const std::string& token);

/// Held from the construction on, until the destruction or until another process has taken it. Beats in a thread of its
/// own.
class RunLease {
 public:
  /// Takes the lease in `file`. The caller holds the run's FileLock, so that a holder on this machine is gone.
  /// `abandoned`: token of a lease that LeaseWatch calls abandoned, or "". Throws RunHeld, FileError.
  RunLease(const std::filesystem::path& file, const std::string& abandoned,
           const LeaseOwner& owner = LeaseOwner::this_process(), std::chrono::milliseconds beat = kLeaseBeat);
  ~RunLease();
  RunLease(const RunLease&) = delete;
  RunLease& operator=(const RunLease&) = delete;

  /// Throws LeaseLost if another process has taken the lease, or if it is gone.
  void require() const;
  void set_fraction(double fraction) { fraction_ = fraction; }
  const std::string& token() const { return record_.token; }

 private:
  void take(const std::string& abandoned);
  void take_over(const std::filesystem::path& mine, const LeaseRecord& before);
  void write();
  void beat_until_told(std::chrono::milliseconds beat);

  std::filesystem::path file_;
  LeaseRecord record_;
  std::atomic<double> fraction_{0};
  int fd_ = -1;  // of this lease, whatever name it has by now
  std::mutex mutex_;
  std::condition_variable told_;
  bool ending_ = false;
  std::thread beating_;
};

}  // namespace bnlab
