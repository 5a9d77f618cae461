// The report of a reproduction that is under way: written whenever there is more to see, but not so often that it costs
// the runs their time. A report that cannot be written ends nothing.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "bnlab/cli/common.h"

namespace bnlab {

class GrowingReport {
 public:
  GrowingReport(const OutFolder& out, const std::vector<PlannedExperiment>& planned);

  /// `id` has ended, well or not; each run once.
  void run_ended(const std::string& id);
  /// Whether a seed of an experiment has been completed since the last report, and the reports so far have cost little
  /// enough.
  bool due() const;
  /// Makes and writes the report of what is stored. False if it could not be written; error() says why.
  bool write(const RunErrors& errors);

  const std::string& error() const { return error_; }  ///< of the last write(), "" if it went well
  const Json& json() const { return report_; }         ///< the last one that could be made; null if none
  std::filesystem::path page() const { return std::filesystem::absolute(out_.path / "report.html"); }

 private:
  using Clock = std::chrono::steady_clock;

  const OutFolder& out_;
  const std::vector<PlannedExperiment>& planned_;
  std::map<std::string, std::vector<size_t>> parts_of_run_;
  std::vector<size_t> runs_left_;  // of each part: a seed of an experiment
  bool more_to_see_ = false;
  Clock::time_point not_before_{};
  Json report_;
  std::string error_;
};

}  // namespace bnlab
