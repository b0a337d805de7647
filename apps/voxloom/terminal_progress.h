#pragma once

#include <chrono>
#include <string>

#include "voxloom/core/progress.h"

namespace voxloom::app {

/// A progress bar with the time left on standard error: redrawn in place on a terminal, a line
/// a stage elsewhere.
class TerminalProgress final : public Progress {
 public:
  TerminalProgress();
  ~TerminalProgress() override;
  void begin(std::string_view stage, int64_t total) override;
  void advance(int64_t steps) override;
  void note(std::string_view text) override;
  void end() override;

 private:
  using Clock = std::chrono::steady_clock;
  void draw(bool last);

  bool terminal_;
  bool active_ = false;
  std::string stage_, note_;
  int64_t total_ = 0, done_ = 0;
  Clock::time_point start_, drawn_;
};

}  // namespace voxloom::app
