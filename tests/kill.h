// Runs that are killed wherever they write to the disk.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <functional>
#include <stdexcept>
#include <string>

#include "bnlab/record/files.h"
#include "tests/temp_folder.h"

namespace bnlab::testing {

/// `work` in a child process that kills itself the `nth` time it comes to its hook (0: never); true if it was killed,
/// false if it ended by itself. Throws if it failed. libtorch 2's autograd refuses to work in a child of a process in
/// which it has worked.
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

/// Kills `run` at its nth hook for every n, `kills` times in a row (a first chance may make no headway), then lets it
/// end: it leaves the same as undisturbed. Returns the number of hooks that an undisturbed run comes to.
inline int kill_everywhere(const TempFolder& temp, int kills,
                           const std::function<std::string(const std::filesystem::path&)>& left_in,
                           const std::function<void(const std::filesystem::path&, const WriteHook&)>& run) {
  const auto run_whole = [&](const std::filesystem::path& folder) {
    killed_at(0, [&](const WriteHook& hook) { run(folder, hook); });
  };
  run_whole(temp / "whole");
  const std::string expected = left_in(temp / "whole");
  for (int nth = 1;; ++nth) {
    const auto folder = temp / ("killed" + std::to_string(nth));
    const auto work = [&](const WriteHook& hook) { run(folder, hook); };
    int killed = 0;
    while (killed < kills && killed_at(nth, work)) ++killed;
    run_whole(folder);
    EXPECT_EQ(left_in(folder), expected) << "killed at " << nth;
    std::filesystem::remove_all(folder);
    if (killed == 0) return nth - 1;
  }
}

}  // namespace bnlab::testing
