#include "bnlab/cli/serve_runs.h"

#include <poll.h>

#include "bnlab/launch/worker_process.h"
#include "bnlab/runs/completion.h"
#include "bnlab/runs/cost.h"

namespace bnlab {
namespace {

std::string last_line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text.substr(text.rfind('\n') + 1);
}

}  // namespace

LocalRuns::LocalRuns(const OutFolder& out, const std::string& program, const std::string& data, const DataFacts& facts,
                     OnEnd on_end)
    : out_(out), program_(program), data_(data), facts_(facts), on_end_(std::move(on_end)) {}

LocalRuns::~LocalRuns() {
  stop_asked_ = true;
  if (thread_.joinable()) thread_.join();
}

RunPlan LocalRuns::plan(const RunSpec& spec) {
  const RunSpec complete = complete_run_spec(spec, facts_);
  return {run_id(complete), complete, estimated_seconds(complete, facts_)};
}

bool LocalRuns::start(const RunPlan& plan) {
  const std::lock_guard lock(mutex_);
  if (!going_on_.empty()) return false;
  if (thread_.joinable()) thread_.join();
  std::filesystem::create_directories(out_.logs());
  create_run(out_.runs() / plan.id, plan.spec);
  going_on_ = plan.id;
  stop_asked_ = false;
  on_end_(plan.id, "");
  thread_ = std::thread([this, id = plan.id] { compute(id); });
  return true;
}

bool LocalRuns::stop(const std::string& id) {
  const std::lock_guard lock(mutex_);
  if (going_on_ != id) return false;
  stop_asked_ = true;
  return true;
}

// The thread that starts the process stays until its end: the process is told when that thread dies.
void LocalRuns::compute(const std::string& id) {
  const auto log = out_.logs() / (id + ".log");
  std::string error;
  try {
    std::filesystem::remove(log);
    const auto spec = out_.runs() / id / "spec.json";
    WorkerProcess process({program_, "train", "--spec", spec.string(), "--data", data_, "--out", out_.path.string()},
                          log);
    bool told = false;
    pollfd output{process.output(), POLLIN, 0};
    while (process.read_lines([](const std::string&) {})) {
      if (stop_asked_ && !told) {
        process.terminate();
        told = true;
      }
      ::poll(&output, 1, 100);
    }
    const bool done = process.wait() == 0;
    if (!done && !stop_asked_) error = "its process ended without a result: " + last_line(read_file(log));
  } catch (const std::exception& problem) {
    error = problem.what();
  }
  on_end_(id, error);
  const std::lock_guard lock(mutex_);
  going_on_.clear();
}

}  // namespace bnlab
