// bnlab worker (hidden): computes runs for the launcher, one after the other, and speaks its protocol
// (worker_protocol.h).
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <iostream>

#include "bnlab/cli/commands.h"
#include "bnlab/cli/common.h"
#include "bnlab/cli/companions.h"
#include "bnlab/cli/ending.h"
#include "bnlab/cli/output.h"
#include "bnlab/launch/worker_protocol.h"
#include "bnlab/ranks/ranks_error.h"
#include "bnlab/record/run_lease.h"
#include "bnlab/runs/execution.h"

namespace bnlab {
namespace {

struct WorkerOptions {
  std::string out, data, program;
  double checkpoint_seconds = 20;
};

// A launcher that has died hears nothing more: no reason not to go on to the checkpoint.
void tell_launcher(const WorkerMessage& message) {
  std::fputs(format_message(message).c_str(), stdout);
  std::fflush(stdout);
}

/// Standard error goes to `log` from now on: one for each run.
void log_to(const std::filesystem::path& log) {
  const int file = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (file < 0) {
    throw std::runtime_error(fmt::format("{}: cannot write the worker's log: {}", log.string(), std::strerror(errno)));
  }
  std::fflush(stderr);
  ::dup2(file, STDERR_FILENO);
  ::close(file);
}

/// The other processes of a run of several; none of another run, or where there is nothing left to do.
std::unique_ptr<Companions> companions_of(const std::filesystem::path& folder, const WorkerOptions& options) {
  const auto spec = read_spec(RunPaths{folder});
  const auto* train = std::get_if<TrainSpec>(&spec);
  if (!train || train->ranks == 1 || run_ended(folder)) return nullptr;
  const auto log = OutFolder{options.out}.logs() / (folder.filename().string() + ".log");
  return std::make_unique<Companions>(options.program, folder, options.data, train->ranks, log);
}

RunOutcome compute(const std::filesystem::path& folder, DataShelf& data, const WorkerOptions& options,
                   const std::string& abandoned) {
  using Clock = std::chrono::steady_clock;
  Clock::time_point said{};
  ExecutionOptions execution;
  execution.stop = &stop_requested();
  execution.checkpoint_interval = std::chrono::duration<double>(options.checkpoint_seconds);
  execution.progress = [&](int64_t step, int64_t steps, double) {
    if (Clock::now() - said < std::chrono::milliseconds(200)) return;
    said = Clock::now();
    tell_launcher({WorkerMessage::Kind::kProgress, static_cast<double>(step) / static_cast<double>(steps), ""});
  };
  std::unique_ptr<Companions> companions;
  try {
    companions = companions_of(folder, options);
  } catch (const RanksError&) {
    if (stop_requested()) return RunOutcome::kInterrupted;
    throw;
  }
  if (companions) execution.ranks = companions->ranks();
  const auto warn = [](const std::string& text) { tell_launcher({WorkerMessage::Kind::kWarning, 0, text}); };
  return execute_run(folder, data, execution, warn, abandoned);
}

int work(const WorkerOptions& options) {
  const OutFolder out{options.out};
  try {
    DataShelf data(parse_data_choice(options.data));
    for (std::string line; std::getline(std::cin, line);) {
      const std::string id = line.substr(0, line.find(' '));
      const std::string abandoned = id.size() < line.size() ? line.substr(id.size() + 1) : "";
      log_to(out.logs() / (id + ".log"));
      try {
        const auto outcome = compute(out.runs() / id, data, options, abandoned);
        if (outcome == RunOutcome::kInterrupted) return kExitInterrupted;
        tell_launcher({WorkerMessage::Kind::kDone, 1, ""});
      } catch (const RunHeld& held) {
        tell_launcher({WorkerMessage::Kind::kHeld, 0, sentence_of(held)});
      }
    }
    return kExitDone;
  } catch (const LeaseLost& lost) {  // a fresh worker takes the next run: this one may keep the lost one's files open
    say(sentence_of(lost) + "\n");
    return kExitLeaseLost;
  } catch (const std::exception& error) {
    tell_launcher({WorkerMessage::Kind::kError, 0, sentence_of(error)});
    say(sentence_of(error) + "\n");
    return kExitFailed;
  }
}

}  // namespace

void add_worker(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<WorkerOptions>();
  CLI::App* command = app.add_subcommand("worker", "")->group("");
  command->add_option("out", options->out)->required();
  command->add_option("--data", options->data)->required();
  command->add_option("--checkpoint-seconds", options->checkpoint_seconds);
  command->callback([options, &invocation] {
    install_stop_handler(SecondSignal::kIgnored);
    ::signal(SIGPIPE, SIG_IGN);
    options->program = invocation.program;
    invocation.exit_status = work(*options);
  });
}

}  // namespace bnlab
