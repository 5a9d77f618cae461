// One process at a time: an exclusive lock on a file, which the kernel releases when the process ends.
#pragma once

#include <filesystem>
#include <optional>

namespace bnlab {

class FileLock {
 public:
  /// Locks the file, which is created if need be; nullopt if another process holds it. The file stays, since one that
  /// waits for it may have it open; whoever removes it must hold the lock. Throws FileError.
  static std::optional<FileLock> try_lock(const std::filesystem::path& path);
  FileLock(FileLock&& other) noexcept;
  ~FileLock();
  FileLock& operator=(const FileLock&) = delete;

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace bnlab
