#include "bnlab/serve/watched_folder.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "bnlab/record/parse_json.h"

namespace bnlab {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kStillWriting{30};        // a run whose record changed so lately is under way
constexpr std::chrono::seconds kRateWindow{5};           // a rate is measured over at least so long
constexpr std::chrono::milliseconds kEstimateTime{300};  // most that a look spends on estimating costs

bool is_run_id(const std::string& name) {
  return name.size() == 16 && name.find_first_not_of("0123456789abcdef") == name.npos;
}

/// Changes whenever the file does.
std::string stamp_of(const fs::path& path) {
  struct stat file {};
  if (::stat(path.c_str(), &file) != 0) return "-";
  return fmt::format("{}.{}.{}.{}", file.st_ino, file.st_size, file.st_mtim.tv_sec, file.st_mtim.tv_nsec);
}

/// Inodes of all files that processes of this machine hold a lock on; looking takes none.
std::set<uint64_t> locked_inodes() {
  std::set<uint64_t> inodes;
  std::ifstream locks("/proc/locks");
  for (std::string line; std::getline(locks, line);) {
    std::istringstream words(line);
    std::string number, kind, advisory, access, process, place;
    if (!(words >> number >> kind >> advisory >> access >> process >> place) || kind != "FLOCK") continue;
    const size_t colon = place.rfind(':');
    if (colon != place.npos) inodes.insert(std::strtoull(place.c_str() + colon + 1, nullptr, 10));
  }
  return inodes;
}

bool is_locked(const fs::path& lock, const std::set<uint64_t>& locked) {
  struct stat file {};
  return ::stat(lock.c_str(), &file) == 0 && locked.count(file.st_ino) > 0;
}

bool leads_into(const fs::path& path, const fs::path& root) {
  std::error_code error;
  const fs::path real = fs::canonical(path, error);
  if (error) return false;
  return std::mismatch(root.begin(), root.end(), real.begin(), real.end()).first == root.end();
}

}  // namespace

Json to_json(const FolderProgress& progress) {
  return {{"runs", progress.runs},
          {"ended", progress.ended},
          {"running", progress.running},
          {"fraction", progress.fraction ? Json(*progress.fraction) : Json()},
          {"left_seconds", progress.left_seconds ? Json(*progress.left_seconds) : Json()}};
}

WatchedFolder::WatchedFolder(const fs::path& root, RunCost cost) : cost_(std::move(cost)) {
  std::error_code error;
  root_ = fs::canonical(root, error);
  if (error || !fs::is_directory(root_)) {
    throw FileError(fmt::format("{}: is no folder; name the --out of bnlab reproduce or bnlab train", root.string()));
  }
}

std::optional<fs::path> WatchedFolder::file(const fs::path& place) const {
  std::error_code error;
  const fs::path path = root_ / place;
  if (!fs::is_regular_file(path, error) || !leads_into(path, root_)) return std::nullopt;
  return path;
}

std::optional<fs::path> WatchedFolder::run_folder(const std::string& id) const {
  if (!is_run_id(id) || !file(fs::path("runs") / id / "spec.json")) return std::nullopt;
  const fs::path folder = root_ / "runs" / id;
  const fs::path database = RunPaths{folder}.database();
  std::error_code error;
  if (fs::exists(fs::symlink_status(database, error)) && !leads_into(database, root_)) return std::nullopt;
  return folder;
}

void WatchedFolder::find_runs() {
  std::error_code error;
  std::set<std::string> there;
  for (fs::directory_iterator entry(root_ / "runs", error), end; !error && entry != end; entry.increment(error)) {
    const std::string id = entry->path().filename().string();
    if (!is_run_id(id)) continue;
    there.insert(id);
    if (runs_.count(id) || !run_folder(id)) continue;
    try {
      Known known;
      known.spec = read_spec(RunPaths{entry->path()});
      known.summary = summary_of_spec(id, known.spec);
      known.summary.state = "";  // so that the look that finds it announces it
      runs_.emplace(id, std::move(known));
    } catch (const std::exception&) {
      // Just being made, or damaged: whoever computes it says so.
    }
  }
  const bool gone = error == std::errc::no_such_file_or_directory;
  if (!error || gone) std::erase_if(runs_, [&](const auto& run) { return there.count(run.first) == 0; });
}

void WatchedFolder::read_report(FolderChanges& changes) {
  const auto path = file("report.json");
  const std::string stamp = path ? stamp_of(*path) : "-";
  if (stamp == report_stamp_) return;
  report_stamp_ = stamp;
  changes.report = path.has_value();
  reported_.clear();
  if (!path) return;
  try {
    const Json report = parse_json(read_file(*path), path->string());
    for (const auto& run : report.at("runs")) {
      const Json& error = run.at("error");
      reported_[run.at("id")] = {run.at("title"), error.is_string() ? error.get<std::string>() : ""};
    }
  } catch (const std::exception&) {
    reported_.clear();  // of another program: its runs keep the titles of their specs
  }
}

std::string WatchedFolder::known_error(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  if (const auto noted = noted_.find(id); noted != noted_.end()) return noted->second;
  const auto reported = reported_.find(id);
  return reported == reported_.end() ? "" : reported->second.second;
}

void WatchedFolder::note_error(const std::string& id, const std::string& error) {
  const std::lock_guard lock(mutex_);
  noted_[id] = error;
}

void WatchedFolder::update_rate(Known& known) {
  RunSummary& summary = known.summary;
  const auto now = Clock::now();
  if (summary.state != "running" || !summary.step || !summary.steps) {
    summary.rate = summary.left_seconds = std::nullopt;
    known.rate_time = {};
    return;
  }
  if (known.rate_time == Clock::time_point{} || *summary.step < known.rate_step) {
    known.rate_step = *summary.step;
    known.rate_time = now;
  } else if (now - known.rate_time >= kRateWindow && *summary.step > known.rate_step) {
    const double seconds = std::chrono::duration<double>(now - known.rate_time).count();
    summary.rate = static_cast<double>(*summary.step - known.rate_step) / seconds;
    known.rate_step = *summary.step;
    known.rate_time = now;
  }
  if (summary.rate) summary.left_seconds = static_cast<double>(*summary.steps - 1 - *summary.step) / *summary.rate;
}

void WatchedFolder::read_record(Known& known, FolderChanges& changes) {
  RunSummary& summary = known.summary;
  const RunPaths paths{root_ / "runs" / summary.id};
  const std::string stamp = stamp_of(paths.database()) + stamp_of(paths.checkpoint());
  if (stamp == known.stamp) return;
  if (!known.stamp.empty()) known.changed = Clock::now();
  known.stamp = stamp;
  known.damage.clear();
  const std::string title = summary.title;
  try {
    if (run_folder(summary.id) && file_exists(paths.database())) {
      RunReader reader(paths.folder);
      Series news = update_from_record(summary, reader);
      if (!summary.ended() && !news.steps.empty()) changes.points.push_back({summary.id, std::move(news)});
    } else {
      summary = summary_of_spec(summary.id, known.spec);
    }
  } catch (const std::exception& error) {
    known.damage = error.what();
  }
  summary.title = title;
}

void WatchedFolder::find_state(Known& known, const std::set<uint64_t>& locked) {
  RunSummary& summary = known.summary;
  summary.error = known.damage;
  if (summary.ended() && known.damage.empty()) return;
  const RunPaths paths{root_ / "runs" / summary.id};
  const bool lately = known.changed != Clock::time_point{} && Clock::now() - known.changed < kStillWriting;
  if (is_locked(paths.lock(), locked) || lately) {
    summary.state = "running";
    return;
  }
  if (summary.error.empty()) summary.error = known_error(summary.id);
  summary.state = !summary.error.empty() ? "failed" : file_exists(paths.database()) ? "unfinished" : "waiting";
}

void WatchedFolder::update(Known& known, const std::set<uint64_t>& locked, FolderChanges& changes) {
  const RunSummary before = known.summary;
  if (const auto reported = reported_.find(before.id); reported != reported_.end()) {
    known.summary.title = reported->second.first;
  }
  read_record(known, changes);
  find_state(known, locked);
  update_rate(known);
  if (!(known.summary == before)) changes.runs.push_back(known.summary);
}

void WatchedFolder::estimate_costs() {
  const auto start = Clock::now();
  for (auto& [id, known] : runs_) {
    if (known.cost) continue;
    if (Clock::now() - start > kEstimateTime) return;
    try {
      known.cost = cost_(known.spec);
    } catch (const std::exception&) {
      known.cost = 0;  // for other data than these: nothing is known of it
    }
  }
}

FolderProgress WatchedFolder::measure_progress() {
  FolderProgress progress;
  double total = 0, done = 0;
  bool known_costs = true;
  for (const auto& [id, known] : runs_) {
    const RunSummary& summary = known.summary;
    ++progress.runs;
    progress.ended += summary.ended();
    progress.running += summary.state == "running";
    known_costs = known_costs && known.cost;
    const double cost = known.cost.value_or(0);
    total += cost;
    if (summary.ended()) {
      done += cost;
    } else if (summary.step && summary.steps) {
      done += cost * static_cast<double>(*summary.step + 1) / static_cast<double>(*summary.steps);
    }
  }
  if (!known_costs || !(total > 0)) return progress;
  progress.fraction = std::min(1.0, done / total);
  if (progress.running == 0) {
    first_done_ = -1;
    return progress;
  }
  const auto now = Clock::now();
  if (first_done_ < 0) {
    first_done_ = done;
    first_time_ = now;
  }
  const double seconds = std::chrono::duration<double>(now - first_time_).count();
  if (seconds > 5 && done > first_done_) progress.left_seconds = (total - done) * seconds / (done - first_done_);
  return progress;
}

FolderChanges WatchedFolder::look() {
  FolderChanges changes;
  find_runs();
  read_report(changes);
  const std::set<uint64_t> locked = locked_inodes();
  for (auto& [id, known] : runs_) update(known, locked, changes);
  estimate_costs();
  changes.progress = measure_progress();
  publish(changes);
  return changes;
}

void WatchedFolder::publish(const FolderChanges& changes) {
  const std::lock_guard lock(mutex_);
  for (const auto& summary : changes.runs) seen_[summary.id] = summary;
  std::erase_if(seen_, [&](const auto& run) { return runs_.count(run.first) == 0; });
  progress_ = changes.progress;
}

Json WatchedFolder::overview() const {
  const std::lock_guard lock(mutex_);
  Json runs = Json::array();
  for (const auto& [id, summary] : seen_) runs.push_back(to_json(summary));
  return {{"runs", runs}, {"progress", to_json(progress_)}};
}

std::optional<RunSummary> WatchedFolder::summary(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = seen_.find(id);
  return found == seen_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace bnlab
