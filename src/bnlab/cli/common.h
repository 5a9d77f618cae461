// What several subcommands share: the output folder's layout, the stop flag, how a user's choices are stored.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "bnlab/study/report_data.h"

namespace bnlab {

/// OUT: runs in OUT/runs/<id>, logs in OUT/logs, the report in OUT/report.html and OUT/report.json, a benchmark in
/// OUT/bench.json.
struct OutFolder {
  std::filesystem::path path;
  std::filesystem::path runs() const { return path / "runs"; }
  std::filesystem::path logs() const { return path / "logs"; }
  std::filesystem::path request() const { return path / "request.json"; }
  std::filesystem::path bench() const { return path / "bench.json"; }
};

/// Set by SIGINT and SIGTERM once install_stop_handler() was called.
const std::atomic<bool>& stop_requested();

/// What a second signal does.
enum class SecondSignal {
  kEndsAtOnce,  ///< this process and its workers
  kIgnored      ///< a worker's own: its launcher and the system may both tell it, and it needs time for its checkpoint
};
void install_stop_handler(SecondSignal second = SecondSignal::kEndsAtOnce);

/// What `reproduce` was asked for; kept in OUT/request.json, so that `report OUT` can draw it again.
struct Request {
  std::string only;  ///< patterns; "" for all
  Scale scale = Scale::kQuick;
  std::string data;  ///< as given to --data
  DataFacts facts;
  std::vector<int64_t> seeds;
  std::optional<double> probe_budget = {};  ///< most that probes may cost: a share of a run's steps
  int64_t probe_thinning = 1;               ///< what follows from it: Setting::probe_thinning
};
/// Sets the thinning that keeps the request's budget in each of its runs: one for all. Without a budget: 1.
void choose_thinning(Request& request);
std::vector<PlannedExperiment> plan_experiments(const Request& request);
void save_request(const OutFolder& out, const Request& request);
Request load_request(const OutFolder& out);

/// "5%" or "5" as 0.05. Throws SpecError naming the flag if it is no percentage above 0 and at most 100.
double parse_percent(const std::string& flag, const std::string& text);

/// Enough for verdicts, except at smoke.
int64_t default_seeds(Scale scale);

/// The first and those that follow it, `n` in all. Seeds that are judged begin at 1; those from 1000 on are for pilots.
std::vector<int64_t> first_seeds(int64_t n, int64_t first = 1);

/// "file:///…/report.html".
std::string file_url(const std::filesystem::path& path);

}  // namespace bnlab
