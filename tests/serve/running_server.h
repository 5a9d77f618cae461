// A server on a folder of its own, as long as a test lasts, and connections to it without a client's help.
#pragma once

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#include "bnlab/serve/server.h"
#include "tests/temp_folder.h"

namespace bnlab::testing {

/// Computes nothing; notes what it was asked for.
class NotingStarter : public RunStarter {
 public:
  RunPlan plan(const RunSpec& spec) override { return {run_id(spec), spec, 12}; }
  bool start(const RunPlan& plan) override {
    if (!going_on_.empty()) return false;
    going_on_ = plan.id;
    return true;
  }
  bool stop(const std::string& id) override {
    if (going_on_ != id) return false;
    going_on_.clear();
    return true;
  }
  const std::string& going_on() const { return going_on_; }

 private:
  std::string going_on_;
};

class RunningServer {
 public:
  explicit RunningServer(const std::string& token = "", RunStarter* starter = nullptr)
      : server_({"127.0.0.1", 0, token, "<script type=\"module\">run()</script>a page"}, folder_, starter),
        thread_([this] { server_.run(stop_); }) {}
  ~RunningServer() { end(); }

  void end() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  int port() const { return server_.port(); }
  const std::filesystem::path& root() const { return temp_.path(); }
  std::string host() const { return "127.0.0.1:" + std::to_string(port()); }

 private:
  TempFolder temp_;
  WatchedFolder folder_{temp_.path(), [](const RunSpec&) { return 1.0; }};
  std::atomic<bool> stop_{false};
  Server server_;
  std::thread thread_;
};

/// A connection on which a test says whatever it likes.
class RawConnection {
 public:
  explicit RawConnection(int port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval patience{20, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      throw std::runtime_error("cannot connect");
    }
  }
  ~RawConnection() { ::close(socket_); }
  RawConnection(const RawConnection&) = delete;

  void send(const std::string& bytes) { ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL); }

  /// Reads until `wanted` has come, or nothing does any more; returns all that came so far.
  const std::string& read_until(const std::string& wanted) {
    char buffer[4096];
    while (received_.find(wanted) == std::string::npos) {
      const ssize_t count = ::recv(socket_, buffer, sizeof buffer, 0);
      if (count <= 0) break;
      received_.append(buffer, static_cast<size_t>(count));
    }
    return received_;
  }
  const std::string& read_all() { return read_until("\x01 never sent"); }

 private:
  int socket_;
  std::string received_;
};

}  // namespace bnlab::testing
