#include "bnlab/launch/slurm_executor.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>
#include <utility>

namespace bnlab {
namespace {

constexpr std::chrono::milliseconds kLook{200};
constexpr std::chrono::seconds kRunsEvery{2}, kElementsEvery{5};

bool is_final(JobState state) {
  return state != JobState::kWaiting && state != JobState::kRunning;
}

}  // namespace

SlurmExecutor::SlurmExecutor(std::vector<Job> jobs, SlurmJob slurm, SharedRuns& shared, std::filesystem::path logs,
                             const std::atomic<bool>* stop)
    : jobs_(std::move(jobs)),
      status_(jobs_.size()),
      slurm_(std::move(slurm)),
      shared_(shared),
      logs_(std::move(logs)),
      stop_(stop) {
  for (size_t i = 0; i < jobs_.size(); ++i) status_[i].log = logs_ / (jobs_[i].id + ".log");
  id_ = submitted_job(slurm_.folder);
  const auto living = id_.empty() ? std::optional<int64_t>(0) : living_elements(id_);
  if (living && *living == 0) {
    submit_again("");
  } else {
    notes_.push_back(fmt::format("Slurm job {} is at work already: {} elements wait or run", id_,
                                 living ? std::to_string(*living) : "Slurm does not say how many"));
  }
}

void SlurmExecutor::submit_again(const std::string& why) {
  for (const auto& job : jobs_) forget_failure(logs_, job.id);
  id_ = submit(slurm_);
  ended_one_ = false;
  next_elements_ = Clock::now() + kElementsEvery;
  notes_.push_back(fmt::format("{}submitted Slurm job {}: {} elements; its outputs are in {}", why, id_,
                               slurm_.elements, slurm_.folder.string()));
}

bool SlurmExecutor::step() {
  if (stop_ && *stop_) {
    for (auto& status : status_) {
      if (!is_final(status.state)) status.state = JobState::kInterrupted;
    }
    return false;
  }
  if (Clock::now() >= next_runs_) look_at_runs();
  if (all_over()) return false;
  if (Clock::now() >= next_elements_) look_at_elements();
  if (all_over()) return false;
  std::this_thread::sleep_for(kLook);
  return true;
}

bool SlurmExecutor::all_over() const {
  return std::all_of(status_.begin(), status_.end(), [](const auto& status) { return is_final(status.state); });
}

void SlurmExecutor::look_at_runs() {
  for (size_t i = 0; i < jobs_.size(); ++i) {
    JobStatus& status = status_[i];
    if (is_final(status.state)) continue;
    const Outlook outlook = shared_.look(jobs_[i].id);
    status.held_by = outlook.kind == Outlook::Kind::kHeld ? outlook.text : "";
    status.fraction = outlook.fraction;
    if (outlook.kind == Outlook::Kind::kEnded) {
      status.state = JobState::kDone;
      status.fraction = 1;
      ended_one_ = true;
    } else if (outlook.kind == Outlook::Kind::kFailed) {
      status.state = JobState::kFailed;
      status.error = outlook.text;
      skip_what_needs(jobs_[i].id);
    }
  }
  next_runs_ = Clock::now() + kRunsEvery;
}

void SlurmExecutor::skip_what_needs(const std::string& id) {
  for (size_t i = 0; i < jobs_.size(); ++i) {
    const auto& inputs = jobs_[i].inputs;
    if (is_final(status_[i].state) || std::find(inputs.begin(), inputs.end(), id) == inputs.end()) continue;
    status_[i].state = JobState::kSkipped;
    status_[i].error = "a run that it needs has failed";
    skip_what_needs(jobs_[i].id);
  }
}

void SlurmExecutor::look_at_elements() {
  next_elements_ = Clock::now() + kElementsEvery;
  const auto living = living_elements(id_);
  if (!living || *living > 0) return;
  look_at_runs();  // what was ended since
  if (all_over()) return;
  if (ended_one_) {
    submit_again(fmt::format("no element of Slurm job {} is left, but runs are; ", id_));
    return;
  }
  for (size_t i = 0; i < jobs_.size(); ++i) {
    if (is_final(status_[i].state)) continue;
    status_[i].state = JobState::kFailed;
    status_[i].error =
        fmt::format("Slurm job {} has ended without any run done; {} holds what it said", id_, slurm_.folder.string());
  }
}

std::string SlurmExecutor::on_stop() const {
  return fmt::format("Slurm job {} goes on; the same command looks after it again, and `scancel {}` stops it", id_,
                     id_);
}

std::vector<std::string> SlurmExecutor::take_notes() {
  return std::exchange(notes_, {});
}

}  // namespace bnlab
