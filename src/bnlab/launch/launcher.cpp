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
    : jobs_(std::move(jobs)), inputs_(jobs_.size()), options_(std::move(options)), status_(jobs_.size()) {
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
  if (busy_ == 0) {
    finish();
    return false;
  }
  listen();
  return true;
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
      if (!fits(jobs_[i])) break;  // in order: a wide run is not overtaken for ever by narrow ones
      start(i);
      again = again || status_[i].state == JobState::kFailed;
    }
  }
  return again;
}

Launcher::Worker& Launcher::idle_worker(const std::filesystem::path& log) {
  for (auto& worker : workers_) {
    if (worker.job == kNoJob) return worker;
  }
  workers_.push_back({std::make_unique<WorkerProcess>(options_.worker, log), kNoJob});
  return workers_.back();
}

void Launcher::start(size_t job) {
  JobStatus& status = status_[job];
  status.log = options_.log_folder / (jobs_[job].id + ".log");
  try {
    std::filesystem::remove(status.log);  // an earlier attempt's
    Worker& worker = idle_worker(status.log);
    worker.process->send(jobs_[job].id);
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
    const bool as_asked = (stopping_ || stop_asked()) && stopped(result);
    JobStatus& status = status_[worker.job];
    if (!as_asked) status.error = reason_of(result, status.error);
    end_job(worker, as_asked ? JobState::kInterrupted : JobState::kFailed);
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
