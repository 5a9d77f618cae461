// The subcommands: each file adds one to the command line. A subcommand's callback returns the process's exit status by
// throwing nothing and setting it in Invocation.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace bnlab {

inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitFindings = 3;   ///< of bnlab doctor: warnings or errors
inline constexpr int kExitStopped = 130;  ///< Ctrl-C; the same command goes on

/// What a subcommand's callback leaves for main().
struct Invocation {
  int exit_status = kExitDone;
  std::string program;                 ///< path of this executable, to start workers
  std::vector<std::string> arguments;  ///< all that follow the program's name
};

void add_reproduce(CLI::App& app, Invocation& invocation);
void add_list(CLI::App& app, Invocation& invocation);
void add_train(CLI::App& app, Invocation& invocation);
void add_report(CLI::App& app, Invocation& invocation);
void add_serve(CLI::App& app, Invocation& invocation);
void add_bench(CLI::App& app, Invocation& invocation);
void add_explain(CLI::App& app, Invocation& invocation);
void add_data(CLI::App& app, Invocation& invocation);
void add_doctor(CLI::App& app, Invocation& invocation);
void add_repairs(CLI::App& app, Invocation& invocation);
void add_status(CLI::App& app, Invocation& invocation);
void add_worker(CLI::App& app, Invocation& invocation);
void add_companion(CLI::App& app, Invocation& invocation);

}  // namespace bnlab
