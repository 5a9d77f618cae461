#include "bnlab/cli/companions.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <chrono>

#include "bnlab/cli/commands.h"
#include "bnlab/cli/common.h"
#include "bnlab/cli/ending.h"
#include "bnlab/cli/output.h"
#include "bnlab/launch/local_ranks.h"
#include "bnlab/ranks/gloo_ranks.h"
#include "bnlab/runs/execution.h"

namespace bnlab {
namespace {

// They do the same at the same time; only a machine that swaps makes one wait so long for another.
constexpr std::chrono::minutes kPatience{10};

RankPlace place_of(int64_t rank, int64_t size, int64_t port) {
  return {
      .rank = rank, .size = size, .address = "127.0.0.1", .port = port, .launcher = "bnlab", .prefix = "companions"};
}

bool has_ended(WorkerProcess& process) {
  pollfd news{.fd = process.output(), .events = POLLIN, .revents = 0};
  return ::poll(&news, 1, 0) > 0 && !process.read_lines([](const std::string&) {});
}

struct CompanionOptions {
  std::string folder, data;
  int64_t rank = 0, size = 0, port = 0;
};

int accompany(const CompanionOptions& options) {
  try {
    DataShelf data(parse_data_choice(options.data));
    ExecutionOptions execution;
    execution.stop = &stop_requested();
    const auto stop = [] { return stop_requested().load(); };
    execution.ranks = join_ranks(place_of(options.rank, options.size, options.port), kPatience, stop);
    const auto spec = std::get<TrainSpec>(read_spec(RunPaths{options.folder}));
    const auto outcome = execute_beside_first(spec, data, execution);
    return outcome == RunOutcome::kDone ? kExitDone : kExitStopped;
  } catch (const std::exception& error) {
    if (stop_requested()) return kExitStopped;
    say(fmt::format("rank {}: {}\n", options.rank, sentence_of(error)));
    return kExitFailed;
  }
}

}  // namespace

Companions::Companions(const std::string& program, const std::filesystem::path& folder, const std::string& data,
                       int64_t size, const std::filesystem::path& log) {
  const int64_t port = free_port();
  for (int64_t rank = 1; rank < size; ++rank) {
    processes_.push_back(std::make_unique<WorkerProcess>(
        std::vector<std::string>{program, "companion", folder.string(), "--data", data, "--rank", std::to_string(rank),
                                 "--of", std::to_string(size), "--port", std::to_string(port)},
        log));
  }
  bool ended = false;
  const auto in_vain = [&] {
    ended = std::any_of(processes_.begin(), processes_.end(), [](const auto& process) { return has_ended(*process); });
    return ended || stop_requested();
  };
  try {
    ranks_ = join_ranks(place_of(0, size, port), kPatience, in_vain);
  } catch (const RanksError&) {
    if (!ended) throw;
    throw RanksError(
        fmt::format("a process that computes a part of this run ended at its start; {} says why", log.string()));
  }
}

Companions::~Companions() {
  ranks_.reset();
  for (const auto& process : processes_) process->terminate();
}

void add_companion(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<CompanionOptions>();
  CLI::App* command = app.add_subcommand("companion", "")->group("");
  command->add_option("folder", options->folder)->required();
  command->add_option("--data", options->data)->required();
  command->add_option("--rank", options->rank)->required();
  command->add_option("--of", options->size)->required();
  command->add_option("--port", options->port)->required();
  command->callback([options, &invocation] {
    install_stop_handler(SecondSignal::kIgnored);
    ::signal(SIGPIPE, SIG_IGN);
    invocation.exit_status = accompany(*options);
  });
}

}  // namespace bnlab
