#include "bnlab/launch/worker_protocol.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace bnlab {
namespace {
constexpr char kProgress[] = "bnlab-progress ";
constexpr char kWarning[] = "bnlab-warning ";
constexpr char kError[] = "bnlab-error ";
constexpr char kHeld[] = "bnlab-held ";
constexpr char kDone[] = "bnlab-done";
}  // namespace

std::string format_message(const WorkerMessage& message) {
  if (message.kind == WorkerMessage::Kind::kProgress) return fmt::format("{}{:.6f}\n", kProgress, message.fraction);
  if (message.kind == WorkerMessage::Kind::kDone) return std::string(kDone) + "\n";
  std::string text = message.text;
  std::replace(text.begin(), text.end(), '\n', ' ');
  const char* prefix = message.kind == WorkerMessage::Kind::kWarning ? kWarning
                       : message.kind == WorkerMessage::Kind::kHeld  ? kHeld
                                                                     : kError;
  return prefix + text + "\n";
}

std::optional<WorkerMessage> parse_message(const std::string& line) {
  if (line == kDone) return WorkerMessage{WorkerMessage::Kind::kDone, 1, ""};
  const auto rest = [&](const char* prefix) -> std::optional<std::string> {
    const std::string start(prefix);
    if (line.compare(0, start.size(), start) != 0) return std::nullopt;
    return line.substr(start.size());
  };
  if (const auto number = rest(kProgress)) {
    char* end = nullptr;
    const double fraction = std::strtod(number->c_str(), &end);
    if (end == number->c_str() || !(fraction >= 0 && fraction <= 1)) return std::nullopt;
    return WorkerMessage{WorkerMessage::Kind::kProgress, fraction, ""};
  }
  if (const auto text = rest(kWarning)) return WorkerMessage{WorkerMessage::Kind::kWarning, 0, *text};
  if (const auto text = rest(kError)) return WorkerMessage{WorkerMessage::Kind::kError, 0, *text};
  if (const auto text = rest(kHeld)) return WorkerMessage{WorkerMessage::Kind::kHeld, 0, *text};
  return std::nullopt;
}

}  // namespace bnlab
