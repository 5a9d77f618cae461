#include "bnlab/record/file_lock.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vector>

#include "tests/temp_folder.h"

namespace bnlab {
namespace {

/// Takes the lock again and again, removing its file each time; false if another process was there too.
bool alone(const std::filesystem::path& folder) {
  const auto busy = folder / "busy", lock_file = folder / "lock";
  for (int locked = 0; locked < 200;) {
    const auto lock = FileLock::try_lock(lock_file);
    if (!lock) continue;
    ++locked;
    const int fd = open(busy.c_str(), O_CREAT | O_EXCL, 0600);
    if (fd < 0) return false;
    close(fd);
    sched_yield();
    unlink(busy.c_str());
    unlink(lock_file.c_str());
    sched_yield();
  }
  return true;
}

TEST(FileLock, IsHeldByOneProcessAlsoWhileItsFileIsRemoved) {
  testing::TempFolder temp;
  std::vector<pid_t> children;
  for (int i = 0; i < 4; ++i) {
    children.push_back(fork());
    if (children.back() == 0) _exit(alone(temp.path()) ? 0 : 1);
  }
  for (const pid_t child : children) {
    int status = -1;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
}

}  // namespace
}  // namespace bnlab
