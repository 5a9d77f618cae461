#include "bnlab/cli/growing_report.h"

#include "bnlab/cli/bench_section.h"
#include "bnlab/report/report.h"

namespace bnlab {
namespace {

constexpr int kTimesTheCost = 20;  // so much time passes between reports: they take at most 5 % of it

}  // namespace

GrowingReport::GrowingReport(const OutFolder& out, const std::vector<PlannedExperiment>& planned)
    : out_(out), planned_(planned) {
  for (size_t experiment = 0; experiment < planned.size(); ++experiment) {
    std::map<int64_t, size_t> part_of_seed;
    for (const auto& run : planned[experiment].plan.runs()) {
      const auto [part, is_new] = part_of_seed.try_emplace(run.seed, runs_left_.size());
      if (is_new) runs_left_.push_back(0);
      ++runs_left_[part->second];
      parts_of_run_[run.id].push_back(part->second);
    }
  }
}

void GrowingReport::run_ended(const std::string& id) {
  for (const size_t part : parts_of_run_.at(id)) {
    if (--runs_left_[part] == 0) more_to_see_ = true;
  }
}

bool GrowingReport::due() const {
  return more_to_see_ && Clock::now() >= not_before_;
}

bool GrowingReport::write(const RunErrors& errors) {
  const auto start = Clock::now();
  more_to_see_ = false;
  error_.clear();
  try {
    report_ = make_report(planned_, out_.runs(), errors);
    add_bench_section(out_, report_);
    write_report(report_, out_.path);
  } catch (const std::exception& error) {
    error_ = error.what();
  }
  const auto end = Clock::now();
  not_before_ = end + kTimesTheCost * (end - start);
  return error_.empty();
}

}  // namespace bnlab
