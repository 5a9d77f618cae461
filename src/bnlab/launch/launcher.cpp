#include "bnlab/launch/launcher.h"

#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <stdexcept>

#include "bnlab/launch/worker_process.h"

namespace bnlab {
namespace {

constexpr int kPollMilliseconds = 200;
constexpr std::chrono::seconds kLookAgain{2};  // at a run that somebody else holds

/// Why a worker that ended in the middle of a run did so, by the status of waitpid(); `said`: its own last words.
std::string reason_of(int result, const std::string& said) {
  if (WIFSIGNALED(result)) {
    const int signal = WTERMSIG(result);
    return fmt::format("its process was ended by signal {} ({}){}", signal, strsignal(signal),
                       signal == SIGKILL ? "; out of memory, perhaps" : "");
  }
  if (WEXITSTATUS(result) == kExitInterrupted) {
    return "it was told to stop by someone else; the same command goes on where it was";
  }
  return said.empty() ? fmt::format("its process ended with status {}", WEXITSTATUS(result)) : said;
}

/// Whether a worker ended because it was asked to: with a checkpoint, or before it was ready to write one.
bool stopped(int result) {
  if (WIFSIGNALED(result)) return WTERMSIG(result) == SIGTERM || WTERMSIG(result) == SIGINT;
  return WEXITSTATUS(result) == kExitInterrupted;
}

}  // namespace

Launcher::Launcher(std::vector<Job> jobs, LaunchOptions options)
    : jobs_(std::move(jobs)),
      inputs_(jobs_.size()),
      options_(std::move(options)),
      status_(jobs_.size()),
      look_again_(jobs_.size()) {
  std::map<std::string, size_t> index;
  for (size_t i = 0; i < jobs_.size(); ++i) index[jobs_[i].id] = i;
  for (size_t i = 0; i < jobs_.size(); ++i) {
    for (const auto& id : jobs_[i].inputs) {
      if (const auto it = index.find(id); it != index.end()) inputs_[i].push_back(it->second);
    }
  }
  std::filesystem::create_directories(options_.log_folder);
}

Launcher::~Launcher() = default;

bool Launcher::step() {
  if (!stopping_ && stop_asked()) stop();
  while (!stopping_ && start_what_fits()) {
  }
  if (busy_ == 0 && !waits_for_others()) {
    finish();
    return false;
  }
  if (busy_ > 0) idle_since_.reset();
  listen();
  return true;
}

/// Whether there are runs that somebody else computes, and that are to be waited for.
bool Launcher::waits_for_others() {
  const bool held = std::any_of(status_.begin(), status_.end(), [](const auto& status) {
    return status.state == JobState::kWaiting && !status.held_by.empty();
  });
  if (!held || stopping_) return false;
  if (!options_.leave_held) return true;
  if (!idle_since_) idle_since_ = Clock::now();
  return Clock::now() - *idle_since_ < options_.shared->patience() + 2 * kLookAgain;
}

std::string Launcher::on_stop() const {
  return "stopping: the runs under way write a checkpoint (Ctrl-C again ends at once)";
}

void Launcher::stop() {
  stopping_ = true;
  for (auto& worker : workers_) worker.process->terminate();
}

void Launcher::finish() {
  workers_.clear();  // all idle: what they have computed is stored
  for (auto& status : status_) {
    if (status.state == JobState::kWaiting) status.state = JobState::kInterrupted;
  }
}

Launcher::Inputs Launcher::inputs_of(size_t job) const {
  Inputs inputs = Inputs::kReady;
  for (const size_t input : inputs_[job]) {
    const JobState state = status_[input].state;
    if (state == JobState::kFailed || state == JobState::kSkipped) return Inputs::kFailed;
    if (state != JobState::kDone) inputs = Inputs::kPending;
  }
  return inputs;
}

bool Launcher::fits(const Job& job) const {
  if (busy_ == 0) return true;
  if (options_.max_workers > 0 && busy_ >= options_.max_workers) return false;
  return busy_threads_ + job.threads <= options_.cores;
}

/// True if a job failed or was skipped, which may concern jobs before it.
bool Launcher::start_what_fits() {
  bool again = false;
  for (size_t i = 0; i < jobs_.size(); ++i) {
    if (status_[i].state != JobState::kWaiting) continue;
    const Inputs inputs = inputs_of(i);
    if (inputs == Inputs::kFailed) {
      status_[i].state = JobState::kSkipped;
      status_[i].error = "a run that it needs has failed";
      again = true;
    } else if (inputs == Inputs::kReady) {
      if (Clock::now() < look_again_[i]) continue;
      if (!fits(jobs_[i])) break;  // in order: a wide run is not overtaken for ever by narrow ones
      again = start_unless_held(i) || again;
    }
  }
  return again;
}

void Launcher::leave_to(size_t job, const std::string& holder) {
  status_[job].state = JobState::kWaiting;
  status_[job].held_by = holder;
  look_again_[job] = Clock::now() + kLookAgain;
}

/// True if the job is over already.
bool Launcher::start_unless_held(size_t job) {
  JobStatus& status = status_[job];
  Outlook outlook;
  try {
    if (options_.shared) outlook = options_.shared->look(jobs_[job].id);
  } catch (const std::exception& error) {
    outlook.kind = Outlook::Kind::kFailed;
    outlook.text = error.what();
  }
  status.held_by.clear();
  switch (outlook.kind) {
    case Outlook::Kind::kFree:
      start(job, outlook.abandoned);
      break;
    case Outlook::Kind::kHeld:
      status.fraction = outlook.fraction;
      leave_to(job, outlook.text);
      break;
    case Outlook::Kind::kEnded:
      status.fraction = 1;
      status.state = JobState::kDone;
      break;
    case Outlook::Kind::kFailed:
      status.error = outlook.text;
      status.state = JobState::kFailed;
      status.log = options_.log_folder / (jobs_[job].id + ".log");
      break;
  }
  return status.state == JobState::kFailed || status.state == JobState::kDone;
}

Launcher::Worker& Launcher::idle_worker(const std::filesystem::path& log) {
  for (auto& worker : workers_) {
    if (worker.job == kNoJob) return worker;
  }
  workers_.push_back({std::make_unique<WorkerProcess>(options_.worker, log), kNoJob});
  return workers_.back();
}

void Launcher::start(size_t job, const std::string& abandoned) {
  JobStatus& status = status_[job];
  status.log = options_.log_folder / (jobs_[job].id + ".log");
  try {
    std::filesystem::remove(status.log);  // an earlier attempt's
    Worker& worker = idle_worker(status.log);
    worker.process->send(jobs_[job].id + (abandoned.empty() ? "" : " " + abandoned));
    worker.job = job;
    status.state = JobState::kRunning;
    ++busy_;
    busy_threads_ += jobs_[job].threads;
  } catch (const std::exception& error) {
    status.state = JobState::kFailed;
    status.error = error.what();
  }
}

void Launcher::listen() {
  std::vector<pollfd> polled;
  for (const auto& worker : workers_) polled.push_back({worker.process->output(), POLLIN, 0});
  ::poll(polled.data(), polled.size(), kPollMilliseconds);
  for (size_t k = 0; k < polled.size(); ++k) {
    if (polled[k].revents == 0) continue;
    Worker& worker = workers_[k];
    const bool open = worker.process->read_lines([&](const std::string& line) { hear(worker, line); });
    if (!open) end(worker);
  }
  workers_.erase(std::remove_if(workers_.begin(), workers_.end(), [](const auto& worker) { return !worker.process; }),
                 workers_.end());
}

void Launcher::hear(Worker& worker, const std::string& line) {
  const auto message = parse_message(line);
  if (!message || worker.job == kNoJob) return;
  JobStatus& status = status_[worker.job];
  switch (message->kind) {
    case WorkerMessage::Kind::kProgress:
      status.fraction = message->fraction;
      break;
    case WorkerMessage::Kind::kWarning:
      status.warnings.push_back(message->text);
      break;
    case WorkerMessage::Kind::kError:
      status.error = message->text;
      break;
    case WorkerMessage::Kind::kHeld: {
      const size_t job = worker.job;
      end_job(worker, JobState::kWaiting);
      leave_to(job, message->text);
      break;
    }
    case WorkerMessage::Kind::kDone:
      status.fraction = 1;
      end_job(worker, JobState::kDone);
      break;
  }
}

void Launcher::end_job(Worker& worker, JobState state) {
  status_[worker.job].state = state;
  --busy_;
  busy_threads_ -= jobs_[worker.job].threads;
  worker.job = kNoJob;
}

/// Of a process whose output has ended: what it was computing has no result.
void Launcher::end(Worker& worker) {
  const int result = worker.process->wait();
  if (worker.job != kNoJob) {
    const size_t job = worker.job;
    const bool as_asked = (stopping_ || stop_asked()) && stopped(result);
    const bool lost = WIFEXITED(result) && WEXITSTATUS(result) == kExitLeaseLost;
    JobStatus& status = status_[worker.job];
    if (!as_asked && !lost) status.error = reason_of(result, status.error);
    end_job(worker, lost ? JobState::kWaiting : as_asked ? JobState::kInterrupted : JobState::kFailed);
    if (lost) leave_to(job, "the process that took it over");
  }
  worker.process.reset();
}

int64_t available_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

}  // namespace bnlab
