#include "bnlab/launch/launcher.h"

#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <stdexcept>

#include "bnlab/launch/worker_process.h"
#include "bnlab/launch/worker_protocol.h"

namespace bnlab {
namespace {

constexpr int kPollMilliseconds = 200;

class Launch {
 public:
  Launch(const std::vector<Job>& jobs, const LaunchOptions& options)
      : jobs_(jobs), options_(options), status_(jobs.size()) {}

  std::vector<JobStatus> run() {
    std::filesystem::create_directories(options_.log_folder);
    while (true) {
      if (!stopping_ && options_.stop && *options_.stop) stop();
      if (!stopping_) start_what_fits();
      if (workers_.empty()) break;
      listen();
      report();
    }
    for (auto& status : status_) {
      if (status.state == JobState::kWaiting) status.state = JobState::kInterrupted;
    }
    report();
    return status_;
  }

 private:
  void report() {
    if (options_.on_change) options_.on_change(status_);
  }

  void stop() {
    stopping_ = true;
    for (auto& [index, worker] : workers_) worker->terminate();
  }

  enum class Inputs { kReady, kPending, kFailed };
  Inputs inputs_of(const Job& job) const {
    Inputs inputs = Inputs::kReady;
    for (size_t i = 0; i < jobs_.size(); ++i) {
      if (std::find(job.inputs.begin(), job.inputs.end(), jobs_[i].id) == job.inputs.end()) continue;
      if (status_[i].state == JobState::kFailed || status_[i].state == JobState::kSkipped) return Inputs::kFailed;
      if (status_[i].state != JobState::kDone) inputs = Inputs::kPending;
    }
    return inputs;
  }

  bool fits(const Job& job) const {
    if (workers_.empty()) return true;
    if (options_.max_workers > 0 && static_cast<int64_t>(workers_.size()) >= options_.max_workers) return false;
    return busy_threads_ + job.threads <= options_.cores;
  }

  void start_what_fits() {
    for (size_t i = 0; i < jobs_.size(); ++i) {
      if (status_[i].state != JobState::kWaiting) continue;
      const Inputs inputs = inputs_of(jobs_[i]);
      if (inputs == Inputs::kFailed) {
        status_[i].state = JobState::kSkipped;
        status_[i].error = "a run that it needs has failed";
      } else if (inputs == Inputs::kReady) {
        if (!fits(jobs_[i])) return;  // in order: a wide run is not overtaken for ever by narrow ones
        start(i);
      }
    }
  }

  void start(size_t index) {
    JobStatus& status = status_[index];
    status.log = options_.log_folder / (jobs_[index].id + ".log");
    try {
      workers_[index] = std::make_unique<WorkerProcess>(jobs_[index].command, status.log);
      status.state = JobState::kRunning;
      busy_threads_ += jobs_[index].threads;
    } catch (const std::exception& error) {
      status.state = JobState::kFailed;
      status.error = error.what();
    }
  }

  void listen() {
    std::vector<pollfd> polled;
    std::vector<size_t> indices;
    for (const auto& [index, worker] : workers_) {
      polled.push_back({worker->output(), POLLIN, 0});
      indices.push_back(index);
    }
    ::poll(polled.data(), polled.size(), kPollMilliseconds);
    for (size_t k = 0; k < polled.size(); ++k) {
      if (polled[k].revents == 0) continue;
      const size_t index = indices[k];
      const bool open = workers_[index]->read_lines([&](const std::string& line) { hear(status_[index], line); });
      if (!open) end(index);
    }
  }

  static void hear(JobStatus& status, const std::string& line) {
    const auto message = parse_message(line);
    if (!message) return;
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
    }
  }

  void end(size_t index) {
    const int result = workers_[index]->wait();
    workers_.erase(index);
    busy_threads_ -= jobs_[index].threads;
    JobStatus& status = status_[index];
    if (WIFEXITED(result) && WEXITSTATUS(result) == 0) {
      status.state = JobState::kDone;
      status.fraction = 1;
    } else if (WIFEXITED(result) && WEXITSTATUS(result) == kExitInterrupted && stopping_) {
      status.state = JobState::kInterrupted;
    } else {
      status.state = JobState::kFailed;
      if (WIFSIGNALED(result)) {
        const int signal = WTERMSIG(result);
        status.error = fmt::format("its process was ended by signal {} ({}){}", signal, strsignal(signal),
                                   signal == SIGKILL ? "; out of memory, perhaps" : "");
      } else if (WEXITSTATUS(result) == kExitInterrupted) {
        status.error = "it was told to stop by someone else; the same command goes on where it was";
      } else if (status.error.empty()) {
        status.error = fmt::format("its process ended with status {}", WEXITSTATUS(result));
      }
    }
    report();
  }

  const std::vector<Job>& jobs_;
  const LaunchOptions& options_;
  std::vector<JobStatus> status_;
  std::map<size_t, std::unique_ptr<WorkerProcess>> workers_;
  int64_t busy_threads_ = 0;
  bool stopping_ = false;
};

}  // namespace

std::vector<JobStatus> launch(const std::vector<Job>& jobs, const LaunchOptions& options) {
  return Launch(jobs, options).run();
}

int64_t available_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

}  // namespace bnlab
