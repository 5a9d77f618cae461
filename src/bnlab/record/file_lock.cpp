#include "bnlab/record/file_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "bnlab/record/files.h"

namespace bnlab {
namespace {

/// Whether `path` still names the open file: it may have been removed between the opening and the locking.
bool names(const std::filesystem::path& path, int fd) {
  struct stat open_file, named;
  return ::fstat(fd, &open_file) == 0 && ::stat(path.c_str(), &named) == 0 && open_file.st_dev == named.st_dev &&
         open_file.st_ino == named.st_ino;
}

}  // namespace

std::optional<FileLock> FileLock::try_lock(const std::filesystem::path& path) {
  for (;;) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    const bool locked = fd >= 0 && ::flock(fd, LOCK_EX | LOCK_NB) == 0;
    const int error = errno;
    if (locked && names(path, fd)) return FileLock(fd);
    if (fd >= 0) ::close(fd);
    if (locked) continue;
    if (fd >= 0 && error == EWOULDBLOCK) return std::nullopt;
    if (error != EINTR) throw FileError(fmt::format("{}: cannot lock it: {}", path.string(), std::strerror(error)));
  }
}

FileLock::FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

FileLock::~FileLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace bnlab
