// What a worker process tells its launcher: lines on standard output, and its exit status.
#pragma once

#include <optional>
#include <string>

namespace bnlab {

/// Exit status of a worker that checkpointed because it was asked to stop (sysexits' EX_TEMPFAIL).
inline constexpr int kExitInterrupted = 75;

struct WorkerMessage {
  enum class Kind { kProgress, kWarning, kError };
  Kind kind = Kind::kProgress;
  double fraction = 0;  ///< kProgress: of the run's work, 0 to 1
  std::string text;     ///< kWarning, kError: one sentence
};

/// One line, ending in '\n'. Line breaks in `text` become spaces.
std::string format_message(const WorkerMessage& message);

/// Nothing if `line` (without '\n') is no message: a library's own output.
std::optional<WorkerMessage> parse_message(const std::string& line);

}  // namespace bnlab
