// One child process whose standard output is read in lines and whose standard error goes to a file.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace bnlab {

class WorkerProcess {
 public:
  /// Starts `command` (argv[0] a path) in a process group of its own; it gets SIGTERM if this process dies.
  /// Throws std::runtime_error if it cannot be started or the log cannot be written.
  WorkerProcess(const std::vector<std::string>& command, const std::filesystem::path& log);
  ~WorkerProcess();  ///< kills it if it still runs
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  int output() const { return output_; }  ///< to poll for reading; -1 after its end
  /// Reads what is there and calls `on_line` for each whole line. False at the end of the output.
  bool read_lines(const std::function<void(const std::string&)>& on_line);
  void terminate();  ///< SIGTERM
  /// Waits for the end and returns the status of waitpid().
  int wait();

 private:
  pid_t pid_ = -1;
  int output_ = -1;
  std::string partial_;
};

}  // namespace bnlab
