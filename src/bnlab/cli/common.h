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

/// Set by SIGINT and SIGTERM once install_stop_handler() was called; a second signal ends the process at once.
const std::atomic<bool>& stop_requested();
void install_stop_handler();

/// What `reproduce` was asked for; kept in OUT/request.json, so that `report OUT` can draw it again.
struct Request {
  std::string only;  ///< patterns; "" for all
  Scale scale = Scale::kQuick;
  std::string data;  ///< as given to --data
  DataFacts facts;
  std::vector<int64_t> seeds;
  std::optional<double> probe_budget = {};  ///< a share; see TrainSpec::probe_budget
};
std::vector<PlannedExperiment> plan_experiments(const Request& request);
void save_request(const OutFolder& out, const Request& request);
Request load_request(const OutFolder& out);

/// "5%" or "5" as 0.05. Throws SpecError naming the flag if it is no percentage above 0 and at most 100.
double parse_percent(const std::string& flag, const std::string& text);

/// 0, 1, … n-1.
std::vector<int64_t> first_seeds(int64_t n);

/// "file:///…/report.html".
std::string file_url(const std::filesystem::path& path);

}  // namespace bnlab
