#include "voxloom/infer/wire_box_tracker.h"

#include <algorithm>

#include "voxloom/core/error.h"

namespace voxloom::infer {
namespace {

double mixed(double fresh, double old, double weight) {
  return weight * fresh + (1.0 - weight) * old;
}

void take_box(BoxTrack& track, const WireBox& box, const BoxTrackRule& rule) {
  const double w = rule.new_box_weight;
  track.box.x0 = mixed(box.x0, track.box.x0, w);
  track.box.y0 = mixed(box.y0, track.box.y0, w);
  track.box.x1 = mixed(box.x1, track.box.x1, w);
  track.box.y1 = mixed(box.y1, track.box.y1, w);
  track.box.confidence = mixed(box.confidence, track.box.confidence, rule.new_confidence_weight);
  ++track.hits;
  track.misses = 0;
}

WireBox grown(const WireBox& box, double share) {
  const double mx = 0.5 * share * box.width(), my = 0.5 * share * box.height();
  return {box.x0 - mx, box.y0 - my, box.x1 + mx, box.y1 + my, box.confidence, box.label};
}

}  // namespace

void BoxTrackRule::visit(OptionList& list) {
  list.option("--min-confidence", min_confidence, "Boxes of a lower confidence are nothing.")
      .with_range(0.001, 0.999);
  list.option("--relative-confidence",
              relative_confidence,
              "Nor are those below this share of the frame's surest box.")
      .with_range(0.0, 1.0);
  list.option("--nms-iou", nms_iou, "Boxes that overlap more are one.").with_range(0.0, 1.0);
  list.option("--match-iou", match_iou, "Overlap of a box with the track that it goes on with.")
      .with_range(0.0, 1.0);
  list.option("--new-box-weight", new_box_weight, "Weight of a new box in its track's.")
      .with_range(0.0, 1.0);
  list.option("--new-confidence-weight", new_confidence_weight, "The same for the confidence.")
      .with_range(0.0, 1.0);
  list.option("--confirm-hits", confirm_hits, "Boxes that confirm a track.").with_range(1, 1000);
  list.option("--confirm-confidence", confirm_confidence, "Confidence that confirms at once.")
      .with_range(0.0, 1.0);
  list.option("--keep-frames", keep_frames, "Frames without a box that a track outlives.")
      .with_range(0, 1000);
  list.option("--grow", grow, "Growth of its box in each of those, as a share.")
      .with_range(0.0, 2.0);
}

void BoxTrackRule::validate() const {
  VOXLOOM_CHECK(min_confidence > 0.0 && min_confidence < 1.0,
                ErrorCode::kInvalidArgument,
                "cascade: the least confidence must lie within (0, 1), got {}",
                min_confidence);
}

WireBoxTracker::WireBoxTracker(const BoxTrackRule& rule) : rule_(rule) {
  rule_.validate();
}

void WireBoxTracker::reset() {
  tracks_.clear();
  next_id_ = 0;
}

const std::vector<BoxTrack>& WireBoxTracker::step(std::vector<WireBox> boxes,
                                                  int64_t width,
                                                  int64_t height) {
  std::stable_sort(boxes.begin(), boxes.end(), [](const WireBox& a, const WireBox& b) {
    return a.confidence > b.confidence;
  });
  const double surest = boxes.empty() ? 0.0 : boxes.front().confidence;
  const double least = std::max(rule_.min_confidence, rule_.relative_confidence * surest);
  const size_t before = tracks_.size();
  std::vector<bool> matched(before, false);
  for (const WireBox& found : boxes) {
    if (found.confidence < least) break;
    const WireBox box = clip_box(found, width, height);
    size_t best = before;
    double overlap = rule_.match_iou;
    for (size_t i = 0; i < before; ++i) {
      if (matched[i] || tracks_[i].box.label != box.label) continue;
      const double iou = box_iou(tracks_[i].box, box);
      if (iou >= overlap) {
        overlap = iou;
        best = i;
      }
    }
    if (best < before) {
      matched[best] = true;
      take_box(tracks_[best], box, rule_);
    } else {
      tracks_.push_back({.id = next_id_++, .box = box, .hits = 1});
    }
  }
  for (size_t i = 0; i < before; ++i) {
    if (matched[i]) continue;
    ++tracks_[i].misses;
    tracks_[i].box = clip_box(grown(tracks_[i].box, rule_.grow), width, height);
  }
  std::erase_if(tracks_, [&](const BoxTrack& track) { return track.misses > rule_.keep_frames; });
  for (BoxTrack& track : tracks_) {
    track.confirmed = track.confirmed || track.hits >= rule_.confirm_hits ||
                      track.box.confidence >= rule_.confirm_confidence;
  }
  return tracks_;
}

std::vector<WireBox> WireBoxTracker::active() const {
  std::vector<WireBox> confirmed, tentative;
  for (const BoxTrack& track : tracks_) {
    (track.confirmed ? confirmed : tentative).push_back(track.box);
  }
  return confirmed.empty() ? tentative : confirmed;
}

}  // namespace voxloom::infer
