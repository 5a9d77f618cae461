#include "bnlab/launch/local_rank.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace bnlab {
namespace {

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (auto& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// Only calls that are safe between fork and exec.
[[noreturn]] void become_rank(char* const* argv, char* const* environment, int errors, pid_t parent,
                              const sigset_t& signals) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(1);
  if (errors >= 0) {
    const int nothing = ::open("/dev/null", O_RDWR);
    ::dup2(nothing, STDIN_FILENO);
    ::dup2(nothing, STDOUT_FILENO);
    ::dup2(errors, STDERR_FILENO);
  }
  ::close_range(STDERR_FILENO + 1, ~0u, 0);
  for (const int number : {SIGINT, SIGTERM}) ::signal(number, SIG_DFL);
  ::sigprocmask(SIG_SETMASK, &signals, nullptr);
  ::execve(argv[0], argv, environment);
  ::_exit(127);
}

}  // namespace

void throw_cannot_start_ranks() {
  throw std::runtime_error(fmt::format("cannot start the processes of several ranks: {}", std::strerror(errno)));
}

LocalRank::LocalRank(std::int64_t rank, std::vector<std::string> command, std::vector<std::string> environment,
                     const sigset_t& signals)
    : rank_(rank) {
  int ends[2] = {-1, -1};
  if (rank > 0 && ::pipe2(ends, O_CLOEXEC) != 0) throw_cannot_start_ranks();
  errors_ = Handle(ends[0]);
  const Handle child_end(ends[1]);
  const auto argv = pointers_to(command), variables = pointers_to(environment);
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) become_rank(argv.data(), variables.data(), ends[1], parent, signals);
  if (pid_ < 0) throw_cannot_start_ranks();
  ::setpgid(pid_, pid_);  // here too: a signal may be passed on before the child has come to it
  if (rank > 0) ::fcntl(errors_.number(), F_SETFL, O_NONBLOCK);
}

LocalRank::LocalRank(LocalRank&& other) noexcept
    : rank_(other.rank_),
      pid_(std::exchange(other.pid_, -1)),
      status_(other.status_),
      errors_(std::move(other.errors_)),
      partial_(std::move(other.partial_)) {}

LocalRank::~LocalRank() {
  if (pid_ <= 0 || status_) return;
  send(SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void LocalRank::send(int signal_number) const {
  if (running()) ::kill(pid_, signal_number);
}

std::optional<int> LocalRank::ended() {
  int status = 0;
  if (!running() || ::waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
  return status_ = status;
}

void LocalRank::pass_errors_on(bool last) {
  if (errors_.number() < 0) return;
  char buffer[4096];
  ssize_t count = 0;
  while ((count = ::read(errors_.number(), buffer, sizeof buffer)) > 0 || (count < 0 && errno == EINTR)) {
    if (count > 0) partial_.append(buffer, static_cast<std::size_t>(count));
    for (std::size_t end; (end = partial_.find('\n')) != std::string::npos; partial_.erase(0, end + 1)) {
      say(partial_.substr(0, end));
    }
  }
  if (count < 0 && errno == EAGAIN && !last) return;
  if (!partial_.empty()) say(std::exchange(partial_, ""));
  errors_.close();
}

void LocalRank::say(const std::string& line) const {
  const std::string whole = fmt::format("[rank {}] {}\n", rank_, line);
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, whole.data(), whole.size());
}

}  // namespace bnlab
