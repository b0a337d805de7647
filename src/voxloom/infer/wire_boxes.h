#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace voxloom::infer {

/// A device's bounding box: pixel edges, so that a box over the whole frame is 0, 0, width, height.
struct WireBox {
  double x0 = 0.0, y0 = 0.0, x1 = 0.0, y1 = 0.0;
  double confidence = 0.0;
  int64_t label = 0;
  [[nodiscard]] double width() const { return x1 - x0; }
  [[nodiscard]] double height() const { return y1 - y0; }
};

/// Intersection over union, 0 where both are empty.
[[nodiscard]] double box_iou(const WireBox& a, const WireBox& b);
/// The part of a box inside the frame.
[[nodiscard]] WireBox clip_box(WireBox box, int64_t width, int64_t height);

/// Raw outputs of a detector at one level: [3 (5 + classes), height, width].
struct DetectorGrid {
  int64_t stride = 8;
  std::array<std::array<double, 2>, 3> anchors{};  ///< Width and height in px.
  int64_t height = 0, width = 0;
  std::span<const float> values;
};

/// Boxes in px of the detector's input whose confidence (objectness times best class) is at least
/// `min_confidence`, which must lie within (0, 1): centre (2 sigmoid - 0.5 + cell) stride, sides
/// (2 sigmoid)^2 anchor. Throws kInvalidArgument for values of another length.
[[nodiscard]] std::vector<WireBox> decode_boxes(std::span<const DetectorGrid> grids,
                                                int64_t classes,
                                                double min_confidence);

struct SuppressionRule {
  double iou = 0.45;              ///< Boxes of one class that overlap more: the surer one stays.
  int64_t max_boxes = 300;        ///< The surest are kept.
  int64_t max_candidates = 4096;  ///< Looked at, the surest first: bounds the time.
};
/// Non-maximum suppression by class; the rest, surest first.
[[nodiscard]] std::vector<WireBox> suppress(std::vector<WireBox> boxes,
                                            const SuppressionRule& rule = {});

/// How masks become boxes to learn (guidewire.md 3.2): thin boxes hardly overlap, so none is thin.
struct BoxRule {
  double padding = 8.0;     ///< px on each side.
  double min_side = 32.0;   ///< px.
  int64_t min_pixels = 10;  ///< Of an object; less is no object.
};
/// Boxes of the objects in mask [height, width] (not 0: object): of 8-connected parts, where parts
/// whose padded boxes meet are one object (a wire with gaps). Inside the frame; confidence 1.
[[nodiscard]] std::vector<WireBox> boxes_of_mask(std::span<const uint8_t> mask,
                                                 int64_t width,
                                                 int64_t height,
                                                 const BoxRule& rule = {});

}  // namespace voxloom::infer
