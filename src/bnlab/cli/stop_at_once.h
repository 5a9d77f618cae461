// Ctrl-C in a command that has nothing to go on with: it ends where it is, with a sentence, and leaves no file behind.
#pragma once

#include <filesystem>
#include <string_view>

namespace bnlab {

/// From here on SIGINT and SIGTERM end the program at once, with kExitStopped and one sentence on standard error,
/// unless they were ignored when it started.
void stop_at_once_on_signals();

/// write_file_atomically(), which such a signal does not cut off: a file that is begun is finished, and the signal ends
/// the program then.
void write_whole_file(const std::filesystem::path& path, std::string_view content);

}  // namespace bnlab
