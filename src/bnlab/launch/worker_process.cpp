#include "bnlab/launch/worker_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace bnlab {
namespace {

// Only calls that are safe between fork and exec.
[[noreturn]] void become(char* const* argv, int output, int log, pid_t parent) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(1);
  const int null = ::open("/dev/null", O_RDONLY);
  ::dup2(null, STDIN_FILENO);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  ::execv(argv[0], argv);
  ::_exit(127);
}

}  // namespace

WorkerProcess::WorkerProcess(const std::vector<std::string>& command, const std::filesystem::path& log) {
  int pipe_ends[2];
  if (::pipe2(pipe_ends, O_CLOEXEC) != 0) {
    throw std::runtime_error(fmt::format("cannot make a pipe for a worker: {}", std::strerror(errno)));
  }
  const int log_file = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (log_file < 0) {
    const int error = errno;
    ::close(pipe_ends[0]), ::close(pipe_ends[1]);
    throw std::runtime_error(fmt::format("{}: cannot write the worker's log: {}", log.string(), std::strerror(error)));
  }
  std::vector<char*> argv;
  for (const auto& argument : command) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) become(argv.data(), pipe_ends[1], log_file, parent);
  const int error = errno;
  ::close(pipe_ends[1]);
  ::close(log_file);
  output_ = pipe_ends[0];
  if (pid_ < 0) {
    ::close(output_);
    throw std::runtime_error(fmt::format("cannot start a worker process: {}", std::strerror(error)));
  }
  ::fcntl(output_, F_SETFL, O_NONBLOCK);
}

WorkerProcess::~WorkerProcess() {
  if (output_ >= 0) ::close(output_);
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    wait();
  }
}

bool WorkerProcess::read_lines(const std::function<void(const std::string&)>& on_line) {
  char buffer[4096];
  while (true) {
    const ssize_t count = ::read(output_, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return true;
    if (count <= 0) break;
    partial_.append(buffer, static_cast<size_t>(count));
    for (size_t end; (end = partial_.find('\n')) != std::string::npos; partial_.erase(0, end + 1)) {
      on_line(partial_.substr(0, end));
    }
  }
  ::close(output_);
  output_ = -1;
  return false;
}

void WorkerProcess::terminate() {
  if (pid_ > 0) ::kill(pid_, SIGTERM);
}

int WorkerProcess::wait() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return status;
}

}  // namespace bnlab
