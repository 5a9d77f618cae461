// An output folder (docs/architecture.md, "The output folder") as somebody sees it who only reads: its runs, which of
// them are under way, and what has changed since the last look. Whoever writes there need not know.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "bnlab/serve/run_summary.h"

namespace bnlab {

/// Estimated work of a run, in any unit that is the same for all.
using RunCost = std::function<double(const RunSpec&)>;

/// How far all runs of the folder are.
struct FolderProgress {
  size_t runs = 0, ended = 0, running = 0;
  std::optional<double> fraction, left_seconds;  ///< absent while costs or the rate are not known
};
Json to_json(const FolderProgress& progress);

/// What a look has found beyond the one before.
struct FolderChanges {
  struct Points {
    std::string id;
    Series loss;
  };
  std::vector<RunSummary> runs;
  std::vector<Points> points;  ///< new ones of runs that are under way
  FolderProgress progress;
  bool report = false;  ///< report.json is another one
};

/// Any thread may ask; look() is for one.
class WatchedFolder {
 public:
  /// Throws FileError if `root` is no folder.
  WatchedFolder(const std::filesystem::path& root, RunCost cost);

  /// Looks for what has changed; runs that have ended cost nothing any more. Damaged runs have state "failed".
  FolderChanges look();

  /// {"runs", "progress"} as of the last look.
  Json overview() const;
  /// Of a run of the last look; nullopt if there is none.
  std::optional<RunSummary> summary(const std::string& id) const;

  /// Why a run has ended without a result, from whoever started it; "": it is tried again.
  void note_error(const std::string& id, const std::string& error);

  const std::filesystem::path& root() const { return root_; }
  /// root/`place`, if it is there and is a file in the folder, not a link that leads out of it.
  std::optional<std::filesystem::path> file(const std::filesystem::path& place) const;
  /// Folder of a run in which nothing leads out of `root`; nullopt if there is no such run.
  std::optional<std::filesystem::path> run_folder(const std::string& id) const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Known {
    RunSummary summary;
    RunSpec spec;
    std::string stamp;   // of what the run's writer changes; "" before the first look
    std::string damage;  // why its record cannot be read
    std::optional<double> cost;
    Clock::time_point changed{};
    int64_t rate_step = 0;  // where the rate was last measured
    Clock::time_point rate_time{};
  };

  void find_runs();
  std::string known_error(const std::string& id) const;
  void read_report(FolderChanges& changes);
  void update(Known& known, const std::set<uint64_t>& locked, FolderChanges& changes);
  void read_record(Known& known, FolderChanges& changes);
  void find_state(Known& known, const std::set<uint64_t>& locked);
  void update_rate(Known& known);
  void estimate_costs();
  FolderProgress measure_progress();
  void publish(const FolderChanges& changes);

  std::filesystem::path root_;
  RunCost cost_;
  std::map<std::string, Known> runs_;
  std::string report_stamp_;
  std::map<std::string, std::pair<std::string, std::string>> reported_;  // title and error of a run, by id
  double first_done_ = -1;                                               // work done when the first run was under way
  Clock::time_point first_time_{};
  mutable std::mutex mutex_;                  // of what follows: the last look, as others see it
  std::map<std::string, std::string> noted_;  // errors by id
  std::map<std::string, RunSummary> seen_;
  FolderProgress progress_;
};

}  // namespace bnlab
