#pragma once

#include <cstdint>
#include <vector>

#include "voxloom/core/options.h"
#include "voxloom/infer/wire_boxes.h"

namespace voxloom::infer {

/// How boxes of a detector are followed from frame to frame (guidewire.md 3.3, rules 1 to 5). The
/// threshold hangs on the surest box of the frame, because faint wires have faint scores.
struct BoxTrackRule {
  double min_confidence = 0.10;       ///< Boxes below are nothing,
  double relative_confidence = 0.50;  ///< nor are those below this share of the frame's surest.
  double nms_iou = 0.45;              ///< Boxes that overlap more are one.
  double match_iou = 0.30;            ///< A box belongs to a track that it overlaps so far.
  double new_box_weight = 0.70;       ///< Of a new box in a track's; the rest is the old one's.
  double new_confidence_weight = 0.40;
  int64_t confirm_hits = 3;          ///< A track is confirmed after so many boxes,
  double confirm_confidence = 0.60;  ///< or with this confidence.
  int64_t keep_frames = 5;           ///< Frames without a box that a track outlives,
  double grow = 0.10;                ///< its sides growing by this share each.

  void visit(OptionList& list);
  void validate() const;
};

struct BoxTrack {
  int64_t id = 0;  ///< From 0 in a stream.
  WireBox box;     ///< Smoothed; its confidence too.
  int64_t hits = 0, misses = 0;
  bool confirmed = false;
};

/// Follows devices through a stream. Not thread-safe.
class WireBoxTracker {
 public:
  explicit WireBoxTracker(const BoxTrackRule& rule);

  /// A new stream.
  void reset();
  /// The next frame's boxes, after suppression, in px of a frame of this size. Returns all tracks.
  /// A track that ends leaves its place to whatever the detector finds anywhere in later frames.
  const std::vector<BoxTrack>& step(std::vector<WireBox> boxes, int64_t width, int64_t height);
  /// What to segment: confirmed tracks, or tentative ones while there is no confirmed one.
  [[nodiscard]] std::vector<WireBox> active() const;

 private:
  BoxTrackRule rule_;
  std::vector<BoxTrack> tracks_;
  int64_t next_id_ = 0;
};

}  // namespace voxloom::infer
