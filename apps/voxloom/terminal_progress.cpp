#include "terminal_progress.h"

#include <algorithm>
#include <iostream>

#include <unistd.h>

#include "voxloom/core/format.h"

namespace voxloom::app {
namespace {

std::string duration_text(double seconds) {
  if (seconds < 60) return format("{:.1f} s", seconds);
  return format("{}:{:02} min", static_cast<int>(seconds) / 60, static_cast<int>(seconds) % 60);
}

}  // namespace

TerminalProgress::TerminalProgress() : terminal_(::isatty(STDERR_FILENO) == 1) {}

TerminalProgress::~TerminalProgress() {
  // An exception ended the stage: leave the bar's line before the message is printed.
  if (active_ && terminal_) std::cerr << "\n";
}

void TerminalProgress::begin(std::string_view stage, int64_t total) {
  if (active_) end();
  stage_ = stage;
  note_.clear();
  total_ = total;
  done_ = 0;
  active_ = true;
  start_ = drawn_ = Clock::now();
  if (terminal_) draw(false);
}

void TerminalProgress::advance(int64_t steps) {
  done_ += steps;
  if (!active_ || !terminal_) return;
  const auto now = Clock::now();
  if (now - drawn_ < std::chrono::milliseconds(80) && done_ < total_) return;
  drawn_ = now;
  draw(false);
}

void TerminalProgress::note(std::string_view text) {
  note_ = text;
}

void TerminalProgress::end() {
  if (!active_) return;
  draw(true);
  active_ = false;
}

void TerminalProgress::draw(bool last) {
  const double elapsed = std::chrono::duration<double>(Clock::now() - start_).count();
  if (last || !terminal_) {
    std::cerr << (terminal_ ? "\r\x1b[K" : "")
              << format("{:<20} {} in {}",
                        stage_,
                        total_ > 0 ? format("{}", done_) : std::string("done"),
                        duration_text(elapsed))
              << (note_.empty() ? "" : "  " + note_) << std::endl;
    return;
  }
  constexpr int64_t kBar = 32;
  std::string line = format("{:<20} ", stage_);
  if (total_ > 0) {
    const int64_t full = std::clamp<int64_t>(done_ * kBar / total_, 0, kBar);
    line += "[" + std::string(static_cast<size_t>(full), '#') +
            std::string(static_cast<size_t>(kBar - full), '.') + "]";
    line += format(" {}/{}", done_, total_);
    if (done_ > 0) {
      const double left =
          elapsed / static_cast<double>(done_) * static_cast<double>(total_ - done_);
      line += "  " + duration_text(left) + " left";
    }
  } else {
    line += duration_text(elapsed);
  }
  if (!note_.empty()) line += "  " + note_;
  std::cerr << "\r\x1b[K" << line << std::flush;
}

}  // namespace voxloom::app
