#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <vector>

#include "voxloom/filters/frame_view.h"
#include "voxloom/filters/registration.h"
#include "voxloom/infer/filter_options.h"

namespace voxloom::filters {

/// What subtraction says about a frame.
struct SubtractionState {
  bool valid = false;  ///< The output means something.
  std::string reason;  ///< Why not: "no background yet", "background lost".
  MotionField motion;  ///< From the background that was used (kPhase: the best frame's).
  double ncc = 0.0;    ///< Of the thumbnails of live frame and background, before registration.
};

/// Motion-compensated subtraction in the log domain: out = -ln(frame) + ln(background moved over
/// it), less its median in the field: positive where something absorbs that the background does not
/// show. Causal; not thread-safe.
///
/// kRunning: B moves towards the registered frame by `rate` where they agree within 3 standard
/// deviations, quickly (0.3) where the frame is brighter, since there a device has left, and not at
/// all where it is darker: a device that arrives stays visible. One that is there from the start
/// and never moves is part of the background and vanishes. kPhase: of the frames of the last
/// window_s seconds, those of the last 0.3 s left out (a wire moves little within them), the `best`
/// ones by correlation with the live frame are registered and their brightest values taken: the
/// device is dark, so what it hides in one is seen in another.
///
/// When fewer than half of the control points find a match and the frames as a whole (means of 8x8
/// px) correlate by less than 0.85, the table or the view has moved: the background starts again,
/// and that frame is not valid.
class Subtraction {
 public:
  /// Throws kInvalidArgument for options out of range.
  explicit Subtraction(const infer::SubtractOptions& options,
                       const RegistrationOptions& registration = {});
  void reset();
  /// out [height, width]: log attenuation, 0 everywhere for a frame that is not valid.
  const SubtractionState& step(const FrameView& view, double time_s, std::span<float> out);

 private:
  struct Past {
    double time_s = 0.0;
    FramePyramid frame;
    std::vector<float> thumbnail;
  };
  void running(const FrameView& view, std::span<float> out);
  void phase(const FrameView& view, double time_s, std::span<float> out);
  [[nodiscard]] bool lost(const MotionField& motion, double ncc) const;

  infer::SubtractOptions options_;
  RegistrationOptions registration_;
  SubtractionState state_;
  FramePyramid live_, background_;
  std::vector<float> log_, moved_;
  int64_t frames_ = 0;     ///< In background_.
  std::deque<Past> past_;  ///< Oldest first.
};

}  // namespace voxloom::filters
