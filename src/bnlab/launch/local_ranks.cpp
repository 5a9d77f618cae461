#include "bnlab/launch/local_ranks.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string_view>

#include "bnlab/launch/local_rank.h"

namespace bnlab {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::array kRead = {SIGINT, SIGTERM, SIGCHLD};

/// Those signals wait to be read while it lives.
class SignalsRead {
 public:
  SignalsRead() {
    sigset_t wanted;
    sigemptyset(&wanted);
    for (const int number : kRead) sigaddset(&wanted, number);
    handle_ = Handle(::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
    if (handle_.number() < 0) throw_cannot_start_ranks();
  }

  int handle() const { return handle_.number(); }

  /// The next one that has come, or 0.
  int next() const {
    signalfd_siginfo info{};
    return ::read(handle_.number(), &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo) : 0;
  }

 private:
  SignalsWait wait_;
  Handle handle_;
};

/// This thread's mask without those signals: a rank takes them.
sigset_t mask_of_ranks() {
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  for (const int number : kRead) sigdelset(&mask, number);
  return mask;
}

/// This process's environment with that of a rank in it.
std::vector<std::string> environment_of(std::int64_t rank, std::int64_t size, int port) {
  std::vector<std::string> own{fmt::format("RANK={}", rank),
                               fmt::format("LOCAL_RANK={}", rank),
                               fmt::format("WORLD_SIZE={}", size),
                               fmt::format("LOCAL_WORLD_SIZE={}", size),
                               "MASTER_ADDR=127.0.0.1",
                               fmt::format("MASTER_PORT={}", port),
                               fmt::format("{}={}.{}", kLocalRanksMark, ::getpid(), port)};
  const auto replaced = [&](std::string_view variable) {
    if (variable.substr(0, 13) == "TORCHELASTIC_") return true;  // torchrun around this says nothing about these ranks
    const auto name = variable.substr(0, variable.find('=') + 1);
    return std::any_of(own.begin(), own.end(),
                       [&](const auto& mine) { return mine.compare(0, name.size(), name) == 0; });
  };
  std::vector<std::string> all;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (!replaced(*variable)) all.emplace_back(*variable);
  }
  all.insert(all.end(), own.begin(), own.end());
  return all;
}

class LocalRanks {
 public:
  LocalRanks(const std::string& program, const std::vector<std::string>& arguments, std::int64_t size,
             std::chrono::milliseconds grace)
      : program_(program), grace_(grace) {
    std::vector<std::string> command{program};
    command.insert(command.end(), arguments.begin(), arguments.end());
    const int port = free_port();
    for (std::int64_t rank = 0; rank < size; ++rank) {
      ranks_.emplace_back(rank, command, environment_of(rank, size, port), mask_of_ranks());
    }
  }

  int wait() {
    while (std::any_of(ranks_.begin(), ranks_.end(), [](const auto& rank) { return rank.running(); })) {
      poll_once();
      for (auto& rank : ranks_) rank.pass_errors_on(false);
      take_signals();
      for (auto& rank : ranks_) {
        if (const auto status = rank.ended(); status && *status != 0) note_failure(rank, *status);
      }
      if (kill_at_ && Clock::now() >= *kill_at_) send(SIGKILL);
    }
    for (auto& rank : ranks_) rank.pass_errors_on(true);  // a process that a rank has started may still hold its end
    return result_;
  }

 private:
  void poll_once() const {
    std::vector<pollfd> wanted{{signals_.handle(), POLLIN, 0}};
    for (const auto& rank : ranks_) {
      if (rank.errors() >= 0) wanted.push_back({rank.errors(), POLLIN, 0});
    }
    ::poll(wanted.data(), wanted.size(), kill_at_ ? 50 : -1);
  }

  void take_signals() {
    for (int number; (number = signals_.next()) != 0;) {
      if (number == SIGCHLD) continue;
      told_ = true;
      send(number);
    }
  }

  void note_failure(const LocalRank& rank, int status) {
    if (result_ != 0) return;
    result_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    if (WIFSIGNALED(status) && !told_) {
      const int number = WTERMSIG(status);
      fmt::print(stderr, "rank {} was ended by signal {} ({}){}\n", rank.rank(), number, strsignal(number),
                 number == SIGKILL ? "; out of memory, perhaps" : "");
    } else if (result_ == 127) {
      fmt::print(stderr, "{} cannot be executed\n", program_);
    }
    if (!told_) send(SIGTERM);
    told_ = true;
    kill_at_ = Clock::now() + grace_;
  }

  void send(int signal_number) const {
    for (const auto& rank : ranks_) rank.send(signal_number);
  }

  const std::string program_;
  const std::chrono::milliseconds grace_;
  const SignalsRead signals_;
  std::vector<LocalRank> ranks_;
  bool told_ = false;  // to stop
  int result_ = 0;
  std::optional<Clock::time_point> kill_at_;
};

}  // namespace

int free_port() {
  const Handle socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  socklen_t length = sizeof address;
  auto* any = reinterpret_cast<sockaddr*>(&address);
  if (::bind(socket.number(), any, length) != 0 || ::getsockname(socket.number(), any, &length) != 0)
    throw_cannot_start_ranks();
  return ntohs(address.sin_port);
}

SignalsWait::SignalsWait() {
  sigset_t waiting;
  sigemptyset(&waiting);
  for (const int number : kRead) sigaddset(&waiting, number);
  pthread_sigmask(SIG_BLOCK, &waiting, &before_);
}

SignalsWait::~SignalsWait() {
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

int run_local_ranks(const std::string& program, const std::vector<std::string>& arguments, std::int64_t size,
                    std::chrono::milliseconds grace) {
  if (size < 1) throw std::invalid_argument(fmt::format("{} ranks are none to start: give 1 or more", size));
  return LocalRanks(program, arguments, size, grace).wait();
}

}  // namespace bnlab
