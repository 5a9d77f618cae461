#include "bnlab/launch/progress_display.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

namespace bnlab {
namespace {

constexpr std::chrono::milliseconds kRedraw{200};
constexpr std::chrono::seconds kPlainLine{10};
constexpr int kBarWidth = 24;

size_t columns(std::FILE* out) {
  winsize size{};
  return ::ioctl(::fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

std::string duration_text(double seconds) {
  const auto total = static_cast<int64_t>(std::llround(seconds));
  if (total >= 3600) return fmt::format("{} h {:02} min", total / 3600, total % 3600 / 60);
  if (total >= 60) return fmt::format("{} min {:02} s", total / 60, total % 60);
  return fmt::format("{} s", total);
}

ProgressDisplay::ProgressDisplay(std::FILE* out) : out_(out), terminal_(::isatty(::fileno(out)) != 0) {}

ProgressDisplay::~ProgressDisplay() {
  clear_bar();
}

std::string ProgressDisplay::time_left(double fraction) const {
  const double done = fraction - start_fraction_;
  const double elapsed = std::chrono::duration<double>(Clock::now() - start_).count();
  if (done < 1e-4 || elapsed < 1) return "";
  return ", " + duration_text(elapsed / done * (1 - fraction)) + " left";
}

void ProgressDisplay::update(double fraction, const std::string& text) {
  const auto now = Clock::now();
  if (start_fraction_ < 0) {
    start_fraction_ = fraction;
    start_ = now;
    if (!terminal_) last_ = now;
  }
  if (now - last_ < (terminal_ ? std::chrono::nanoseconds(kRedraw) : std::chrono::nanoseconds(kPlainLine))) return;
  last_ = now;
  std::string line = fmt::format("{:3.0f} % {}{}", std::floor(100 * fraction), text, time_left(fraction));
  if (!terminal_) {
    std::fputs((line + "\n").c_str(), out_);
  } else {
    const int filled = std::clamp(static_cast<int>(fraction * kBarWidth), 0, kBarWidth);
    line = fmt::format("[{}{}] {}", std::string(filled, '='), std::string(kBarWidth - filled, ' '), line);
    std::fputs(("\r\033[K" + line.substr(0, columns(out_) - 1)).c_str(), out_);
    bar_shown_ = true;
  }
  std::fflush(out_);
}

// fputs, not fmt::print: where the display cannot be shown, the work goes on.
void ProgressDisplay::clear_bar() {
  if (bar_shown_) std::fputs("\r\033[K", out_);
  bar_shown_ = false;
  std::fflush(out_);
}

void ProgressDisplay::print(const std::string& line) {
  clear_bar();
  std::fputs((line + "\n").c_str(), out_);
  std::fflush(out_);
}

}  // namespace bnlab
