#include "bnlab/cli/output.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace bnlab {

OutputError::OutputError(int error)
    : std::runtime_error(fmt::format("cannot write to standard output{}{}", error == 0 ? "" : ": ",
                                     error == 0 ? "" : std::strerror(error))),
      error_(error) {}

bool OutputError::reader_left() const {
  return error_ == EPIPE;
}

void prepare_standard_streams() {
  for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; ++descriptor) {
    if (::fcntl(descriptor, F_GETFD) >= 0 || errno != EBADF) continue;
    ::open("/dev/null", descriptor == STDIN_FILENO ? O_RDONLY : O_WRONLY);  // gets the lowest free one: this one
  }
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);
}

void write_output(std::string_view text) {
  errno = 0;
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) throw OutputError(errno);
}

void print_json(const Json& json) {
  write_output(json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

void say(std::string_view text) noexcept {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

void finish_output() {
  errno = 0;
  const bool flushed = std::fflush(stdout) == 0;
  if (!flushed || std::ferror(stdout) != 0) throw OutputError(errno);
}

}  // namespace bnlab
