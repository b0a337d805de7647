#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace voxloom::metrics {

/// A box that has to be found: x0, y0, x1, y1 in px.
struct TrueBox {
  int64_t image = 0, label = 0;
  std::array<double, 4> box{};
};
/// A box that was found.
struct FoundBox {
  int64_t image = 0, label = 0;
  std::array<double, 4> box{};
  double confidence = 0.0;
};

struct DetectionScores {
  double average_precision = 0.0;                  ///< Mean over the labels that have true boxes.
  double precision = 0.0, recall = 0.0, f1 = 0.0;  ///< At `threshold`, over all labels.
  double threshold = 0.0;    ///< The confidence with the best F1; 0 where nothing was found.
  double best_recall = 0.0;  ///< With every found box.
};

/// Surest boxes first, each takes the free true box of its image and label that it overlaps most,
/// if their intersection over union is at least `iou`; else it is wrong. Average precision is the
/// area below the precision-recall curve made falling (PASCAL VOC 2010: every point, no sampling).
/// No true boxes: all scores are 1 where nothing was found, else 0.
[[nodiscard]] DetectionScores detection_scores(std::span<const FoundBox> found,
                                               std::span<const TrueBox> truth,
                                               double iou = 0.5);

}  // namespace voxloom::metrics
