// Ranks that are processes of this machine, for tests of what connects them.
#pragma once

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "bnlab/ranks/rank_place.h"

namespace bnlab::testing {

/// A port of this host; `listen`: and keeps it, but never takes a connection.
class Port {
 public:
  explicit Port(bool listen) : handle_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(listen ? INADDR_LOOPBACK : INADDR_ANY);
    socklen_t length = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    if (::bind(handle_, any, length) != 0 || ::getsockname(handle_, any, &length) != 0)
      throw std::runtime_error("no port");
    number_ = ntohs(address.sin_port);
    if (listen) ::listen(handle_, 8);
    if (!listen) close();
  }
  ~Port() { close(); }
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;
  std::int64_t number() const { return number_; }

 private:
  void close() {
    if (handle_ >= 0) ::close(handle_);
    handle_ = -1;
  }
  int handle_;
  std::int64_t number_ = 0;
};

inline RankPlace local_place(std::int64_t rank, std::int64_t size, std::int64_t port) {
  return {rank, size, "127.0.0.1", port, "test", "test", false};
}

/// A child process that does `work`. It never returns from it: libtorch's threads do not survive a fork, so that the
/// child computes with one thread, and without autograd.
class Child {
 public:
  explicit Child(const std::function<std::string()>& work) {
    int ends[2];
    if (::pipe(ends) != 0) throw std::runtime_error("no pipe");
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(ends[0]);
      at::set_num_threads(1);
      std::string said;
      try {
        said = work();
      } catch (const std::exception& error) {
        said = std::string("threw: ") + error.what();
      }
      [[maybe_unused]] const auto written = ::write(ends[1], said.data(), said.size());
      ::_exit(0);
    }
    ::close(ends[1]);
    output_ = ends[0];
  }
  Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, -1)), output_(std::exchange(other.output_, -1)) {}
  Child& operator=(Child&&) = delete;
  ~Child() {
    if (pid_ > 0) ::kill(pid_, SIGKILL), ::waitpid(pid_, nullptr, 0);
    if (output_ >= 0) ::close(output_);
  }

  pid_t pid() const { return pid_; }

  /// What `work` returned, "threw: WHAT", "signal N", or "hangs" if it has not ended after `limit`.
  std::string said(std::chrono::seconds limit = std::chrono::seconds(20)) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    std::string text;
    for (char buffer[4096];;) {
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
      pollfd wanted{output_, POLLIN, 0};
      if (left.count() <= 0 || ::poll(&wanted, 1, static_cast<int>(left.count())) != 1) return "hangs";
      const auto count = ::read(output_, buffer, sizeof buffer);
      if (count <= 0) break;
      text.append(buffer, static_cast<std::size_t>(count));
    }
    int status = 0;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status)) : text;
  }

 private:
  pid_t pid_ = -1;
  int output_ = -1;
};

/// Runs `work` in `size` processes, and returns what each said.
inline std::vector<std::string> run_processes(std::int64_t size,
                                              const std::function<std::string(const RankPlace&)>& work) {
  const Port port(false);
  std::vector<Child> children;
  for (std::int64_t rank = 0; rank < size; ++rank) {
    children.emplace_back([&] { return work(local_place(rank, size, port.number())); });
  }
  std::vector<std::string> said;
  for (auto& child : children) said.push_back(child.said());
  return said;
}

}  // namespace bnlab::testing
