// The built program, as a person or a script would start it.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "bnlab/record/files.h"
#include "tests/temp_folder.h"

namespace bnlab::testing {

/// A started `bnlab`, its outputs going to files.
class Program {
 public:
  explicit Program(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), BNLAB_PROGRAM);
    pid_ = fork();
    if (pid_ == 0) {
      const int out = open((temp_ / "out").c_str(), O_WRONLY | O_CREAT, 0644);
      const int err = open((temp_ / "err").c_str(), O_WRONLY | O_CREAT, 0644);
      dup2(out, STDOUT_FILENO);
      dup2(err, STDERR_FILENO);
      std::vector<char*> argv;
      for (auto& argument : arguments) argv.push_back(argument.data());
      argv.push_back(nullptr);
      execv(argv[0], argv.data());
      _exit(127);
    }
  }
  ~Program() {
    if (pid_ > 0) kill(pid_, SIGKILL), wait();
  }

  void signal(int number) { kill(pid_, number); }
  /// Whether it has a handler of its own for the signal by now.
  bool catches(int number) const {
    const std::string status = read_file("/proc/" + std::to_string(pid_) + "/status");
    const size_t at = status.find("SigCgt:");
    return at != std::string::npos && (std::stoull(status.substr(at + 7), nullptr, 16) >> (number - 1) & 1) != 0;
  }
  /// Exit status, or -signal if it was killed.
  int wait() {
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  std::string out() const { return read_file(temp_ / "out"); }
  std::string err() const { return read_file(temp_ / "err"); }

 private:
  TempFolder temp_;
  pid_t pid_ = -1;
};

inline void sleep_ms(int64_t milliseconds) {
  std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
}

}  // namespace bnlab::testing
