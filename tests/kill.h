// Runs that are killed wherever they write to the disk.
#pragma once

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <stdexcept>

#include "bnlab/record/files.h"

namespace bnlab::testing {

/// `work` in a child process that kills itself the `nth` time it comes to its hook; true if it was killed, false if it
/// ended by itself. Throws if it failed.
inline bool killed_at(int nth, const std::function<void(const WriteHook&)>& work) {
  const pid_t child = fork();
  if (child == 0) {
    try {
      int seen = 0;
      work([&] {
        if (++seen == nth) raise(SIGKILL);
      });
    } catch (const std::exception& error) {
      fprintf(stderr, "%s\n", error.what());
      _exit(1);
    }
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (!WIFSIGNALED(status) && WEXITSTATUS(status) != 0) throw std::runtime_error("the killed run failed by itself");
  if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL) throw std::runtime_error("the run crashed");
  return WIFSIGNALED(status);
}

}  // namespace bnlab::testing
