#include "bnlab/launch/worker_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string_view>

namespace bnlab {
namespace {

// For kill_all_workers(), which may interrupt anything: a fixed place, lock-free. A worker beyond these places is only
// told by its parent's death.
std::array<std::atomic<pid_t>, 1024> running{};
static_assert(std::atomic<pid_t>::is_always_lock_free);

void replace_running(pid_t from, pid_t to) {
  for (auto& place : running) {
    pid_t expected = from;
    if (place.compare_exchange_strong(expected, to)) return;
  }
}

/// No signal reaches this thread as long as it lives; those that come wait.
class SignalsHeld {
 public:
  SignalsHeld() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsHeld() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsHeld(const SignalsHeld&) = delete;
  SignalsHeld& operator=(const SignalsHeld&) = delete;
  const sigset_t& before() const { return before_; }

 private:
  sigset_t before_{};
};

// Only calls that are safe between fork and exec. A signal that came since the fork is delivered when the mask is
// restored, and then by its default action: the parent's handler would only note it in memory that exec discards.
[[noreturn]] void become(char* const* argv, int lines, int log, pid_t parent, const sigset_t& mask) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(1);
  ::dup2(lines, STDIN_FILENO);
  ::dup2(lines, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  ::close_range(STDERR_FILENO + 1, ~0u, 0);  // whatever else is open: a connection would not end with the caller
  for (const int signal_number : {SIGINT, SIGTERM}) ::signal(signal_number, SIG_DFL);
  ::sigprocmask(SIG_SETMASK, &mask, nullptr);
  ::execv(argv[0], argv);
  ::_exit(127);
}

}  // namespace

WorkerProcess::WorkerProcess(const std::vector<std::string>& command, const std::filesystem::path& log) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    throw std::runtime_error(fmt::format("cannot make a connection to a worker: {}", std::strerror(errno)));
  }
  const int log_file = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (log_file < 0) {
    const int error = errno;
    ::close(ends[0]), ::close(ends[1]);
    throw std::runtime_error(fmt::format("{}: cannot write the worker's log: {}", log.string(), std::strerror(error)));
  }
  std::vector<char*> argv;
  for (const auto& argument : command) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const pid_t parent = ::getpid();
  int error = 0;
  {
    const SignalsHeld held;
    pid_ = ::fork();
    error = errno;
    if (pid_ == 0) become(argv.data(), ends[1], log_file, parent, held.before());
    if (pid_ > 0) replace_running(0, pid_);
  }
  ::close(ends[1]);
  ::close(log_file);
  lines_ = ends[0];
  if (pid_ < 0) {
    ::close(lines_);
    throw std::runtime_error(fmt::format("cannot start a worker process: {}", std::strerror(error)));
  }
  ::fcntl(lines_, F_SETFL, O_NONBLOCK);
}

WorkerProcess::~WorkerProcess() {
  if (lines_ >= 0) ::close(lines_);
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    wait();
  }
}

void WorkerProcess::send(const std::string& line) {
  const std::string whole = line + "\n";
  for (std::string_view rest = whole; !rest.empty();) {
    const ssize_t count = ::send(lines_, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return;
    rest.remove_prefix(static_cast<size_t>(count));
  }
}

bool WorkerProcess::read_lines(const std::function<void(const std::string&)>& on_line) {
  char buffer[4096];
  while (true) {
    const ssize_t count = ::read(lines_, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return true;
    if (count <= 0) break;
    partial_.append(buffer, static_cast<size_t>(count));
    for (size_t end; (end = partial_.find('\n')) != std::string::npos; partial_.erase(0, end + 1)) {
      on_line(partial_.substr(0, end));
    }
  }
  ::close(lines_);
  lines_ = -1;
  return false;
}

void WorkerProcess::terminate() {
  if (pid_ > 0) ::kill(pid_, SIGTERM);
}

int WorkerProcess::wait() {
  // Taken from the list first: once waited for, the number may belong to another process.
  siginfo_t ended{};
  while (::waitid(P_PID, static_cast<id_t>(pid_), &ended, WEXITED | WNOWAIT) < 0 && errno == EINTR) {
  }
  replace_running(pid_, 0);
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return status;
}

void kill_all_workers() noexcept {
  for (const auto& place : running) {
    if (const pid_t pid = place; pid > 0) ::kill(pid, SIGKILL);
  }
}

}  // namespace bnlab
