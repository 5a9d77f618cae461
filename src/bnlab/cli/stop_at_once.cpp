#include "bnlab/cli/stop_at_once.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>

#include "bnlab/cli/commands.h"
#include "bnlab/record/files.h"

namespace bnlab {
namespace {

std::atomic<bool> writing{false}, has_written{false}, signalled{false};
static_assert(std::atomic<bool>::is_always_lock_free);

[[noreturn]] void end_with(std::string_view sentence) {
  // Nothing is left to be done where standard error is closed.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, sentence.data(), sentence.size());
  ::_exit(kExitStopped);
}

/// In any thread, at any instruction: calls nothing but write() and _exit().
void end_unless_writing(int) {
  signalled = true;
  if (!writing)
    end_with(has_written ? "bnlab: stopped after a file was written\n" : "bnlab: stopped; no file was written\n");
}

}  // namespace

void stop_at_once_on_signals() {
  for (const int number : {SIGINT, SIGTERM}) {
    struct sigaction before {};
    struct sigaction action {};
    if (::sigaction(number, nullptr, &before) == 0 && before.sa_handler == SIG_IGN) continue;  // as nohup wants it
    action.sa_handler = end_unless_writing;
    action.sa_flags = SA_RESTART;
    ::sigaction(number, &action, nullptr);
  }
}

void write_whole_file(const std::filesystem::path& path, std::string_view content) {
  writing = true;  // a signal from now on is noted; one from before has ended the program
  try {
    write_file_atomically(path, content);
  } catch (...) {
    writing = false;
    throw;
  }
  has_written = true;
  writing = false;
  if (signalled) end_with("bnlab: stopped after a file was written\n");
}

}  // namespace bnlab
