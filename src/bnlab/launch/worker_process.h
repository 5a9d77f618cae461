// One child process that reads lines on standard input and answers in lines on standard output; its standard error
// goes to a file.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace bnlab {

class WorkerProcess {
 public:
  /// Starts `command` (argv[0] a path) in a process group of its own; it gets SIGTERM if the calling thread dies. A
  /// signal that comes meanwhile reaches the caller's handler, or ends the child: it is never lost.
  /// Throws std::runtime_error if it cannot be started or the log cannot be written.
  WorkerProcess(const std::vector<std::string>& command, const std::filesystem::path& log);
  ~WorkerProcess();  ///< kills it if it still runs
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  int output() const { return lines_; }  ///< to poll for reading; -1 after its end
  /// Sends one line, which must not hold a line break. If the process has ended, the line is lost; read_lines() tells.
  void send(const std::string& line);
  /// Reads what is there and calls `on_line` for each whole line. False at the end of the output.
  bool read_lines(const std::function<void(const std::string&)>& on_line);
  void terminate();  ///< SIGTERM
  /// Waits for the end and returns the status of waitpid().
  int wait();

 private:
  pid_t pid_ = -1;
  int lines_ = -1;  // a socket, both directions
  std::string partial_;
};

/// SIGKILL to every process that a WorkerProcess has started and not waited for. May be called in a signal handler.
void kill_all_workers() noexcept;

}  // namespace bnlab
