// bnlab: the command line. Each subcommand is a file of its own; errors end here, in one sentence.
#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "bnlab/cli/commands.h"
#include "bnlab/cli/ending.h"
#include "bnlab/cli/environment.h"
#include "bnlab/cli/output.h"
#include "bnlab/data/data_error.h"
#include "bnlab/record/json_fields.h"
#include "bnlab/version.h"

namespace {

/// A training step frees and asks for the same large blocks again and again. Kept by the allocator instead of handed
/// back to the kernel, they cost no page faults: measured, a third of a small network's step.
void keep_large_blocks() {
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  mallopt(M_TOP_PAD, 64 << 20);
}

/// CLI11 only says that a command is missing; the person who mistyped one wants to know which there are.
void refuse_unknown_command(const CLI::App& app, int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') return;
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (command->get_name() == argv[1]) return;
    if (!command->get_group().empty()) names.push_back(command->get_name());
  }
  const std::string near = bnlab::nearest_name(argv[1], names);
  throw std::invalid_argument(
      fmt::format("there is no command \"{}\"; {}", argv[1],
                  near.empty() ? "the commands are " + bnlab::join_or(names) : "did you mean \"" + near + "\"?"));
}

/// Path of this executable; as it was called where /proc does not tell.
std::string program_path(const char* called) {
  std::error_code error;
  const auto path = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? called : path.string();
}

/// What CLI11 has to say: help and version on standard output, errors on standard error.
int end_of_parsing(const CLI::App& app, const CLI::ParseError& error) {
  std::ostringstream output, complaint;
  const bool done = app.exit(error, output, complaint) == 0;
  bnlab::write_output(output.str());
  bnlab::say(complaint.str());
  return done ? bnlab::kExitDone : bnlab::kExitUsage;
}

int run(int argc, char** argv) {
  CLI::App app("bnlab: a laboratory for batch normalization", "bnlab");
  app.set_version_flag("--version", std::string("bnlab ") + bnlab::kVersion + " (" + bnlab::kCommit + ")");
  app.require_subcommand(1);
  app.parse_complete_callback(bnlab::check_environment);  // before the command's own
  app.footer(
      "Example:\n  bnlab reproduce            run every experiment at quick scale and write bnlab-out/report.html\n"
      "bnlab COMMAND --help tells more about a command.");
  bnlab::Invocation invocation;
  invocation.program = program_path(argc > 0 ? argv[0] : "bnlab");
  invocation.arguments.assign(argv + std::min(argc, 1), argv + argc);
  bnlab::add_reproduce(app, invocation);
  bnlab::add_list(app, invocation);
  bnlab::add_train(app, invocation);
  bnlab::add_report(app, invocation);
  bnlab::add_serve(app, invocation);
  bnlab::add_bench(app, invocation);
  bnlab::add_explain(app, invocation);
  bnlab::add_doctor(app, invocation);
  bnlab::add_data(app, invocation);
  bnlab::add_repairs(app, invocation);
  bnlab::add_status(app, invocation);
  bnlab::add_worker(app, invocation);
  bnlab::add_companion(app, invocation);
  refuse_unknown_command(app, argc, argv);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return end_of_parsing(app, error);
  }
  return invocation.exit_status;
}

}  // namespace

int main(int argc, char** argv) {
  bnlab::prepare_standard_streams();
  bnlab::end_in_a_sentence_always();
  const bool is_benchmark = argc > 1 && std::string_view(argv[1]) == "bench";  // of PyTorch under glibc's own settings
  if (!is_benchmark) keep_large_blocks();
  try {
    const int status = run(argc, argv);
    bnlab::finish_output();
    return status;
  } catch (...) {
    const auto [status, sentence] = bnlab::ending_of_exception();
    if (!sentence.empty()) bnlab::say("bnlab: " + sentence + "\n");
    return status;
  }
}
