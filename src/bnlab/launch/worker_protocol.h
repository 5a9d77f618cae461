// What a launcher and its workers tell each other.
//
// A worker reads the ids of the runs that it is to compute on standard input, one a line, each after it has said that
// the one before is done; at the end of the input it ends. An id may be followed by a space and the token of a lease
// that is to be taken over. It answers in lines on standard output, and by its exit
// status where it does not come to say that a run is done.
#pragma once

#include <optional>
#include <string>

namespace bnlab {

/// Exit status of a worker that checkpointed because it was asked to stop (sysexits' EX_TEMPFAIL).
inline constexpr int kExitInterrupted = 75;

/// Exit status of a worker that has lost its run to another process, which took it over.
inline constexpr int kExitLeaseLost = 76;

struct WorkerMessage {
  /// After kDone, which says that the run is stored, the worker reads the next id, and after kHeld, which says that
  /// another process is at work on it. After kError it ends, so that nothing of a failed run is left to the next one.
  enum class Kind { kProgress, kWarning, kError, kHeld, kDone };
  Kind kind = Kind::kProgress;
  double fraction = 0;  ///< kProgress: of the run's work, 0 to 1
  std::string text;     ///< kWarning, kError: one sentence; kHeld: by whom
};

/// One line, ending in '\n'. Line breaks in `text` become spaces.
std::string format_message(const WorkerMessage& message);

/// Nothing if `line` (without '\n') is no message: a library's own output.
std::optional<WorkerMessage> parse_message(const std::string& line);

}  // namespace bnlab
