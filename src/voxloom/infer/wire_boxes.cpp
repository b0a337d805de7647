#include "voxloom/infer/wire_boxes.h"

#include <algorithm>
#include <cmath>

#include "voxloom/core/error.h"
#include "voxloom/image/components.h"

namespace voxloom::infer {
namespace {

double sigmoid(double x) {
  return 1.0 / (1.0 + std::exp(-x));
}

struct Part {
  WireBox box;
  int64_t pixels = 0;
};

bool meet(const WireBox& a, const WireBox& b) {
  return a.x0 <= b.x1 && b.x0 <= a.x1 && a.y0 <= b.y1 && b.y0 <= a.y1;
}

/// Joins parts until no two meet.
std::vector<Part> merged(std::vector<Part> parts) {
  std::vector<Part> out;
  for (Part part : parts) {
    for (size_t i = 0; i < out.size();) {
      if (!meet(out[i].box, part.box)) {
        ++i;
        continue;
      }
      // The larger box may reach those that were looked at before.
      part.box.x0 = std::min(part.box.x0, out[i].box.x0);
      part.box.y0 = std::min(part.box.y0, out[i].box.y0);
      part.box.x1 = std::max(part.box.x1, out[i].box.x1);
      part.box.y1 = std::max(part.box.y1, out[i].box.y1);
      part.pixels += out[i].pixels;
      out.erase(out.begin() + static_cast<int64_t>(i));
      i = 0;
    }
    out.push_back(part);
  }
  return out;
}

/// At least `side` long, inside [0, limit] as far as that is.
void widen(double& low, double& high, double side, double limit) {
  if (high - low < side) {
    const double middle = 0.5 * (low + high);
    low = middle - 0.5 * side;
    high = middle + 0.5 * side;
    if (low < 0.0) {
      high -= low;
      low = 0.0;
    } else if (high > limit) {
      low -= high - limit;
      high = limit;
    }
  }
  low = std::max(low, 0.0);
  high = std::min(high, limit);
}

}  // namespace

double box_iou(const WireBox& a, const WireBox& b) {
  const double w = std::min(a.x1, b.x1) - std::max(a.x0, b.x0);
  const double h = std::min(a.y1, b.y1) - std::max(a.y0, b.y0);
  if (w <= 0.0 || h <= 0.0) return 0.0;
  const double both = w * h;
  return both / (a.width() * a.height() + b.width() * b.height() - both);
}

WireBox clip_box(WireBox box, int64_t width, int64_t height) {
  const auto w = static_cast<double>(width), h = static_cast<double>(height);
  box.x0 = std::clamp(box.x0, 0.0, w);
  box.x1 = std::clamp(box.x1, box.x0, w);
  box.y0 = std::clamp(box.y0, 0.0, h);
  box.y1 = std::clamp(box.y1, box.y0, h);
  return box;
}

std::vector<WireBox> decode_boxes(std::span<const DetectorGrid> grids,
                                  int64_t classes,
                                  double min_confidence) {
  VOXLOOM_CHECK(classes >= 1 && min_confidence > 0.0 && min_confidence < 1.0,
                ErrorCode::kInvalidArgument,
                "detector: classes must be positive and the least confidence within (0, 1), got {} "
                "and {}",
                classes,
                min_confidence);
  // Most cells fail here, without an exponential: the class score is at most 1.
  const auto least = static_cast<float>(std::log(min_confidence / (1.0 - min_confidence)));
  std::vector<WireBox> boxes;
  for (const DetectorGrid& grid : grids) {
    const int64_t cells = grid.height * grid.width, outputs = 5 + classes;
    const auto anchors = static_cast<int64_t>(grid.anchors.size());
    VOXLOOM_CHECK(static_cast<int64_t>(grid.values.size()) == anchors * outputs * cells,
                  ErrorCode::kInvalidArgument,
                  "detector: a level of {} x {} cells must have {} values, got {}",
                  grid.height,
                  grid.width,
                  anchors * outputs * cells,
                  grid.values.size());
    const auto stride = static_cast<double>(grid.stride);
    for (int64_t a = 0; a < anchors; ++a) {
      const float* plane = grid.values.data() + a * outputs * cells;
      for (int64_t cell = 0; cell < cells; ++cell) {
        // A NaN is no box either.
        if (!(plane[4 * cells + cell] >= least)) continue;
        int64_t label = 0;
        for (int64_t c = 1; c < classes; ++c) {
          if (plane[(5 + c) * cells + cell] > plane[(5 + label) * cells + cell]) label = c;
        }
        const auto value = [&](int64_t output) {
          return sigmoid(static_cast<double>(plane[output * cells + cell]));
        };
        const double confidence = value(4) * value(5 + label);
        if (!(confidence >= min_confidence)) continue;
        const double cx = (2.0 * value(0) - 0.5 + static_cast<double>(cell % grid.width)) * stride;
        const double cy = (2.0 * value(1) - 0.5 + static_cast<double>(cell / grid.width)) * stride;
        const auto side = [](double v, double anchor) { return 4.0 * v * v * anchor; };
        const auto& anchor = grid.anchors[static_cast<size_t>(a)];
        const double w = side(value(2), anchor[0]), h = side(value(3), anchor[1]);
        if (!std::isfinite(cx + cy + w + h)) continue;
        boxes.push_back({cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2, confidence, label});
      }
    }
  }
  return boxes;
}

std::vector<WireBox> suppress(std::vector<WireBox> boxes, const SuppressionRule& rule) {
  std::stable_sort(boxes.begin(), boxes.end(), [](const WireBox& a, const WireBox& b) {
    return a.confidence > b.confidence;
  });
  if (static_cast<int64_t>(boxes.size()) > rule.max_candidates) {
    boxes.resize(static_cast<size_t>(rule.max_candidates));
  }
  std::vector<WireBox> kept;
  for (const WireBox& box : boxes) {
    if (static_cast<int64_t>(kept.size()) >= rule.max_boxes) break;
    const bool hidden = std::any_of(kept.begin(), kept.end(), [&](const WireBox& other) {
      return other.label == box.label && box_iou(other, box) > rule.iou;
    });
    if (!hidden) kept.push_back(box);
  }
  return kept;
}

std::vector<WireBox> boxes_of_mask(std::span<const uint8_t> mask,
                                   int64_t width,
                                   int64_t height,
                                   const BoxRule& rule) {
  const auto map = image::label_components(mask, {width, height, 1});
  std::vector<Part> parts;
  const auto w = static_cast<double>(width), h = static_cast<double>(height);
  for (const auto& component : map.components) {
    parts.push_back({{.x0 = static_cast<double>(component.box_min[0]) - rule.padding,
                      .y0 = static_cast<double>(component.box_min[1]) - rule.padding,
                      .x1 = static_cast<double>(component.box_max[0] + 1) + rule.padding,
                      .y1 = static_cast<double>(component.box_max[1] + 1) + rule.padding,
                      .confidence = 1.0},
                     component.size});
  }
  std::vector<WireBox> boxes;
  for (Part& part : merged(std::move(parts))) {
    if (part.pixels < rule.min_pixels) continue;
    part.box = clip_box(part.box, width, height);
    widen(part.box.x0, part.box.x1, rule.min_side, w);
    widen(part.box.y0, part.box.y1, rule.min_side, h);
    boxes.push_back(part.box);
  }
  return boxes;
}

}  // namespace voxloom::infer
