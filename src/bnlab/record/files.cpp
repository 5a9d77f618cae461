#include "bnlab/record/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace bnlab {
namespace {

constexpr char kUnfinished[] = ".new";

[[noreturn]] void fail(const std::filesystem::path& path, const char* action, int error = errno) {
  const char* hint = error == ENOSPC   ? "; free some space and run the same command again"
                     : error == EACCES ? "; choose a folder that you may read and write"
                                       : "";
  throw FileError(fmt::format("{}: cannot {} it: {}{}", path.string(), action, std::strerror(error), hint));
}

void reach(const WriteHook& hook) {
  if (hook) hook();
}

class File {
 public:
  File(const std::filesystem::path& path, int flags) : path_(path), fd_(::open(path.c_str(), flags | O_CLOEXEC, 0644)) {
    if (fd_ < 0) fail(path, "open");
  }
  ~File() { ::close(fd_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  /// In two halves, between which `hook` is called.
  void write(std::string_view bytes, const WriteHook& hook) {
    put(bytes.substr(0, bytes.size() / 2));
    reach(hook);
    put(bytes.substr(bytes.size() / 2));
  }
  void sync() {
    if (::fsync(fd_) != 0) fail(path_, "sync");
  }
  uint64_t size() const {
    struct stat status;
    if (::fstat(fd_, &status) != 0) fail(path_, "read");
    return static_cast<uint64_t>(status.st_size);
  }
  std::string read_all() {
    std::string content;
    content.reserve(size());
    char block[1 << 16];
    for (ssize_t count = 1; count != 0;) {
      count = ::read(fd_, block, sizeof block);
      if (count < 0 && errno != EINTR) fail(path_, "read");
      if (count > 0) content.append(block, static_cast<size_t>(count));
    }
    return content;
  }
  void cut(uint64_t bytes) {
    if (::ftruncate(fd_, static_cast<off_t>(bytes)) != 0) fail(path_, "cut");
  }

 private:
  void put(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail(path_, "write");
      bytes.remove_prefix(static_cast<size_t>(written));
    }
  }

  std::filesystem::path path_;
  int fd_;
};

/// An empty new file beside `path`, of a name that no other process or thread uses.
std::filesystem::path create_beside(const std::filesystem::path& path) {
  for (int i = 0;; ++i) {
    const std::filesystem::path fresh = fmt::format("{}.{}-{}{}", path.string(), ::getpid(), i, kUnfinished);
    const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0 && errno == EEXIST) continue;
    if (fd < 0) fail(path, "write");
    ::close(fd);
    return fresh;
  }
}

void sync_folder_of(const std::filesystem::path& path) {
  const auto folder = path.parent_path();
  File(folder.empty() ? "." : folder, O_RDONLY | O_DIRECTORY).sync();
}

}  // namespace

void write_file_atomically(const std::filesystem::path& path, std::string_view content, const WriteHook& hook) {
  const std::filesystem::path fresh = create_beside(path);
  try {
    {
      reach(hook);
      File file(fresh, O_WRONLY);
      file.write(content, hook);
      reach(hook);
      file.sync();
    }
    reach(hook);
    if (::rename(fresh.c_str(), path.c_str()) != 0) fail(path, "replace");
  } catch (...) {
    ::unlink(fresh.c_str());
    throw;
  }
  reach(hook);
  sync_folder_of(path);
  reach(hook);
}

void remove_unfinished_files(const std::filesystem::path& folder) {
  try {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (entry.path().extension() == kUnfinished) std::filesystem::remove(entry.path());
    }
  } catch (const std::filesystem::filesystem_error& error) {
    fail(folder, "tidy", error.code().value());
  }
}

void append_to_file(const std::filesystem::path& path, std::string_view bytes, const WriteHook& hook) {
  File(path, O_WRONLY | O_CREAT | O_APPEND).write(bytes, hook);
}

void sync_file(const std::filesystem::path& path) {
  File(path, O_RDONLY).sync();
}

uint64_t size_of_file(const std::filesystem::path& path) {
  return File(path, O_RDONLY).size();
}

void cut_file(const std::filesystem::path& path, uint64_t bytes) {
  File(path, O_WRONLY).cut(bytes);
}

std::string read_file(const std::filesystem::path& path) {
  return File(path, O_RDONLY).read_all();
}

bool file_exists(const std::filesystem::path& path) {
  std::error_code error;
  const bool found = std::filesystem::exists(path, error);
  if (error) fail(path, "find", error.value());
  return found;
}

}  // namespace bnlab
