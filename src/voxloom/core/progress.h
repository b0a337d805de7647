#pragma once

#include <cstdint>
#include <string_view>

namespace voxloom {

/// Receives the progress of long work. Implementations must be cheap and may be called from
/// any one thread at a time. The default does nothing.
class Progress {
 public:
  virtual ~Progress() = default;

  /// A new stage of `total` steps begins ("encode slices", 64). total 0: length unknown.
  virtual void begin(std::string_view stage, int64_t total) {
    static_cast<void>(stage);
    static_cast<void>(total);
  }
  /// `steps` more steps of the current stage are done.
  virtual void advance(int64_t steps) { static_cast<void>(steps); }
  /// A few words to show beside the stage, replacing the last ones ("loss 0.21, dice 0.83").
  virtual void note(std::string_view text) { static_cast<void>(text); }
  /// The current stage is over.
  virtual void end() {}
};

}  // namespace voxloom
