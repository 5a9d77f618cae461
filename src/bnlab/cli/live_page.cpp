#include "bnlab/cli/live_page.h"

#include <fmt/format.h>
#include <poll.h>

#include <chrono>

namespace bnlab {
namespace {

std::vector<std::string> serve_command(const std::string& program, const OutFolder& out, int port) {
  std::vector<std::string> command = {program, "serve", out.path.string()};
  if (port >= 0) command.insert(command.end(), {"--port", std::to_string(port)});
  return command;
}

std::filesystem::path log_of(const OutFolder& out) {
  std::filesystem::create_directories(out.logs());
  return out.logs() / "serve.log";
}

}  // namespace

LivePage::LivePage(const std::string& program, const OutFolder& out, int port)
    : process_(serve_command(program, out, port), log_of(out)) {
  pollfd output{process_.output(), POLLIN, 0};
  const auto hear = [&](const std::string& line) { address_ = line; };
  while (address_.empty()) {
    if (!process_.read_lines(hear) && address_.empty()) {
      throw std::runtime_error(fmt::format("the live page cannot be opened; {} says why", log_of(out).string()));
    }
    if (address_.empty()) ::poll(&output, 1, 100);
  }
}

LivePage::~LivePage() {
  process_.terminate();
  pollfd output{process_.output(), POLLIN, 0};
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (std::chrono::steady_clock::now() < end && process_.read_lines([](const std::string&) {})) {
    ::poll(&output, 1, 100);
  }
}

}  // namespace bnlab
