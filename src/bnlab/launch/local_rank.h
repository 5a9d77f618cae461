// One of the processes that run_local_ranks() starts.
#pragma once

#include <signal.h>
#include <sys/types.h>
#include <unistd.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace bnlab {

/// A file descriptor, closed at the end.
class Handle {
 public:
  explicit Handle(int number = -1) : number_(number) {}
  ~Handle() { close(); }
  Handle(Handle&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  int number() const { return number_; }
  void close() {
    if (number_ >= 0) ::close(number_);
    number_ = -1;
  }

 private:
  int number_;
};

/// Throws std::runtime_error about errno.
[[noreturn]] void throw_cannot_start_ranks();

class LocalRank {
 public:
  /// `command`: argv, its first a path; `environment`: "NAME=VALUE"; `signals`: the signal mask that it starts with.
  /// Throws std::runtime_error.
  LocalRank(std::int64_t rank, std::vector<std::string> command, std::vector<std::string> environment,
            const sigset_t& signals);
  ~LocalRank();  ///< kills it if it still runs
  LocalRank(LocalRank&& other) noexcept;
  LocalRank& operator=(LocalRank&&) = delete;

  std::int64_t rank() const { return rank_; }
  int errors() const { return errors_.number(); }  ///< to poll for reading; -1 for rank 0, and after their end
  bool running() const { return !status_; }
  void send(int signal_number) const;  ///< unless it has ended

  /// The status of waitpid() if it has ended since the last call.
  std::optional<int> ended();

  /// Passes on the whole lines that are there; the rest, too, at the end of the output or if it is the `last` call.
  void pass_errors_on(bool last);

 private:
  void say(const std::string& line) const;

  std::int64_t rank_;
  pid_t pid_ = -1;
  std::optional<int> status_;
  Handle errors_;  // none for rank 0, whose standard error is the caller's
  std::string partial_;
};

}  // namespace bnlab
