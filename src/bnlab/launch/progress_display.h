// One progress line for a long piece of work: a bar that is redrawn on a terminal, plain lines now and then otherwise.
#pragma once

#include <chrono>
#include <cstdio>
#include <string>

namespace bnlab {

class ProgressDisplay {
 public:
  /// Writes to `out` (standard error, so that standard output stays for results).
  explicit ProgressDisplay(std::FILE* out = stderr);
  ~ProgressDisplay();

  /// `fraction`: of the work, 0 to 1. `text`: what to say beside it, e.g. "5 of 12 runs, 9.1 steps/s".
  /// The time left is estimated from the rate since the first update. Cheap to call often.
  void update(double fraction, const std::string& text);

  /// A line of its own, above the bar.
  void print(const std::string& line);

 private:
  using Clock = std::chrono::steady_clock;
  std::string time_left(double fraction) const;
  void clear_bar();

  std::FILE* out_;
  bool terminal_;
  bool bar_shown_ = false;
  Clock::time_point start_{}, last_{};
  double start_fraction_ = -1;
};

/// "2 h 05 min", "3 min 20 s" or "12 s".
std::string duration_text(double seconds);

}  // namespace bnlab
