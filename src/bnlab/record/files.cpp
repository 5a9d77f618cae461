#include "bnlab/record/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace bnlab {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, const char* action) {
  const int error = errno;
  const char* hint = error == ENOSPC   ? "; free some space and run the same command again"
                     : error == EACCES ? "; choose a folder that you may write to"
                                       : "";
  throw FileError(fmt::format("{}: cannot {} it: {}{}", path.string(), action, std::strerror(error), hint));
}

class File {
 public:
  File(const std::filesystem::path& path, int flags) : path_(path), fd_(::open(path.c_str(), flags | O_CLOEXEC, 0644)) {
    if (fd_ < 0) fail(path, "open");
  }
  ~File() { ::close(fd_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  void write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail(path_, "write");
      bytes.remove_prefix(static_cast<size_t>(written));
    }
  }
  void sync() {
    if (::fsync(fd_) != 0) fail(path_, "sync");
  }

 private:
  std::filesystem::path path_;
  int fd_;
};

}  // namespace

void write_file_atomically(const std::filesystem::path& path, std::string_view content, const WriteHook& hook) {
  const std::filesystem::path fresh = path.string() + ".new";
  const auto reach = [&](WritePhase phase) {
    if (hook) hook(phase);
  };
  try {
    {
      File file(fresh, O_WRONLY | O_CREAT | O_TRUNC);
      file.write(content.substr(0, content.size() / 2));
      reach(WritePhase::kHalfWritten);
      file.write(content.substr(content.size() / 2));
      file.sync();
    }
    reach(WritePhase::kWritten);
    if (::rename(fresh.c_str(), path.c_str()) != 0) fail(path, "replace");
    const auto folder = path.parent_path();
    File(folder.empty() ? "." : folder, O_RDONLY | O_DIRECTORY).sync();
  } catch (const FileError&) {
    ::unlink(fresh.c_str());
    throw;
  }
  reach(WritePhase::kRenamed);
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) fail(path, "open");
  std::string content((std::istreambuf_iterator<char>(stream)), {});
  if (stream.bad()) fail(path, "read");
  return content;
}

}  // namespace bnlab
