// bnlab worker (hidden): computes one run for the launcher and speaks its protocol on standard output.
#include <fmt/format.h>

#include <chrono>

#include "bnlab/cli/commands.h"
#include "bnlab/cli/common.h"
#include "bnlab/cli/ending.h"
#include "bnlab/cli/output.h"
#include "bnlab/launch/worker_protocol.h"
#include "bnlab/runs/execution.h"

namespace bnlab {
namespace {

void say(const WorkerMessage& message) {
  std::fputs(format_message(message).c_str(), stdout);
  std::fflush(stdout);
}

struct WorkerOptions {
  std::string folder, data;
  double checkpoint_seconds = 20;
};

int work(const WorkerOptions& options) {
  using Clock = std::chrono::steady_clock;
  Clock::time_point said{};
  ExecutionOptions execution;
  execution.stop = &stop_requested();
  execution.checkpoint_interval = std::chrono::duration<double>(options.checkpoint_seconds);
  execution.progress = [&](int64_t step, int64_t steps, double) {
    if (Clock::now() - said < std::chrono::milliseconds(200)) return;
    said = Clock::now();
    say({WorkerMessage::Kind::kProgress, static_cast<double>(step) / static_cast<double>(steps), ""});
  };
  const auto warn = [](const std::string& text) { say({WorkerMessage::Kind::kWarning, 0, text}); };
  try {
    const auto outcome = execute_run(options.folder, parse_data_choice(options.data), execution, warn);
    return outcome == RunOutcome::kDone ? kExitDone : kExitInterrupted;
  } catch (const std::exception& error) {
    say({WorkerMessage::Kind::kError, 0, sentence_of(error)});
    bnlab::say(sentence_of(error) + "\n");
    return kExitFailed;
  }
}

}  // namespace

void add_worker(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<WorkerOptions>();
  CLI::App* command = app.add_subcommand("worker", "")->group("");
  command->add_option("folder", options->folder)->required();
  command->add_option("--data", options->data)->required();
  command->add_option("--checkpoint-seconds", options->checkpoint_seconds);
  command->callback([options, &invocation] {
    install_stop_handler();
    invocation.exit_status = work(*options);
  });
}

}  // namespace bnlab
