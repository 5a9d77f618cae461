// bnlab serve: the report of a folder as a live page.
#include <fmt/format.h>

#include "bnlab/cli/commands.h"
#include "bnlab/cli/common.h"
#include "bnlab/cli/output.h"
#include "bnlab/cli/serve_runs.h"
#include "bnlab/report/page.h"
#include "bnlab/report/viewer_page.h"
#include "bnlab/serve/guard.h"
#include "bnlab/serve/server.h"
#include "bnlab/study/cost_shares.h"

namespace bnlab {
namespace {

constexpr int kFirstPort = 8765, kPorts = 20;  // tried one after the other where none is asked for

struct ServeOptions {
  std::string folder = "bnlab-out", host, data;
  int port = -1;
  bool allow_runs = false;
};

/// What the folder's runs are about: --data, else what reproduce was asked for.
std::pair<std::string, DataFacts> data_of(const ServeOptions& options, const OutFolder& out) {
  if (!options.data.empty()) return {options.data, load_facts(parse_data_choice(options.data))};
  if (file_exists(out.request())) {
    const Request request = load_request(out);
    return {request.data, request.facts};
  }
  if (options.allow_runs) return {"fashion-mnist", load_facts({"fashion-mnist"})};
  return {};
}

/// On the port that was asked for, else on the first that is free.
std::unique_ptr<Server> open_server(const ServeOptions& options, ServerOptions server, WatchedFolder& folder,
                                    RunStarter* starter) {
  if (options.port >= 0) {
    server.port = options.port;
    return std::make_unique<Server>(server, folder, starter);
  }
  for (server.port = kFirstPort;; ++server.port) {
    try {
      return std::make_unique<Server>(server, folder, starter);
    } catch (const std::runtime_error&) {
      if (server.port + 1 == kFirstPort + kPorts) throw;
    }
  }
}

std::string address_of(const Server& server, const ServerOptions& options) {
  const bool v6 = options.host.find(':') != std::string::npos;
  return fmt::format("http://{}:{}/{}", v6 ? "[" + options.host + "]" : options.host, server.port(),
                     options.token.empty() ? "" : "?token=" + options.token);
}

void serve(const ServeOptions& options, const std::string& program) {
  const OutFolder out{options.folder};
  const auto [data, facts] = data_of(options, out);
  WatchedFolder folder(out.path, [facts = facts](const RunSpec& spec) { return core_seconds(spec, facts); });
  std::optional<LocalRuns> runs;
  if (options.allow_runs)
    runs.emplace(out, program, data, facts, [&](const auto& id, const auto& error) { folder.note_error(id, error); });
  ServerOptions server_options;
  if (!options.host.empty()) server_options.host = options.host;
  if (!options.host.empty() || options.allow_runs) server_options.token = random_token();
  server_options.page = page_with_data(viewer_page(), kReportTag, R"({"live": true})");
  const auto server = open_server(options, server_options, folder, runs ? &*runs : nullptr);
  write_output(fmt::format("{}\n", address_of(*server, server_options)));
  finish_output();
  say(fmt::format("The page shows {} and follows it; Ctrl-C ends.\n", folder.root().string()));
  server->run(stop_requested());
}

}  // namespace

void add_serve(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<ServeOptions>();
  CLI::App* command = app.add_subcommand("serve", "Show the report of a folder in a browser, live while runs go on");
  command->add_option("DIR", options->folder, "The --out of bnlab reproduce or bnlab train")->capture_default_str();
  command->add_option("--port", options->port, "Port; 0: any that is free (default: the first free one from 8765 on)")
      ->check(CLI::Range(0, 65535));
  command->add_option("--host", options->host,
                      "Address to listen on for other machines, e.g. 0.0.0.0; the printed address then holds a token "
                      "without which nothing is answered (default: this machine only)");
  command->add_flag("--allow-runs", options->allow_runs,
                    "Let the page start runs here, one at a time; needs the token of the printed address");
  command->add_option("--data", options->data, "Data of such runs, NAME or NAME:PATH (default: the folder's)");
  command->footer(
      "Examples:\n  bnlab serve bnlab-out\n  bnlab serve bnlab-out --allow-runs\n"
      "On another machine, without opening a port there: ssh -L 8765:localhost:8765 MACHINE bnlab serve DIR --port "
      "8765");
  command->callback([options, &invocation] {
    install_stop_handler();
    serve(*options, invocation.program);
  });
}

}  // namespace bnlab
