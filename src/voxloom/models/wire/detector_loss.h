#pragma once

#include <array>
#include <vector>

#include "voxloom/core/options.h"
#include "voxloom/models/wire/detector.h"

namespace voxloom::models::wire {

/// A box to find, in px of the network's input.
struct DetectionTarget {
  int64_t image = 0;  ///< Place in the batch.
  int64_t label = 0;
  double cx = 0.0, cy = 0.0, width = 0.0, height = 0.0;
};

/// A cell and anchor that has to find target `target`.
struct AssignedCell {
  size_t target = 0;
  int64_t anchor = 0, x = 0, y = 0;
};

struct DetectionLossOptions {
  double box = 0.05, objectness = 1.0, classification = 0.5;  ///< Weights of the terms.
  double anchor_ratio = 4.0;  ///< A side may differ from an anchor's by less than this factor.

  void visit(OptionList& list);
};

/// Which cells have to find which targets, by level. A target belongs to every anchor whose sides
/// differ from its own by factors below `anchor_ratio`; one that no anchor fits (a long thin box),
/// to the anchor that differs least. On each such level: to the cell that holds its centre and to
/// the nearer neighbour of that along x and along y, as far as they lie inside the image.
[[nodiscard]] std::array<std::vector<AssignedCell>, kDetectorLevels> assign_targets(
    const std::vector<DetectionTarget>& targets,
    int64_t height,
    int64_t width,
    double anchor_ratio = 4.0);

/// Complete IoU of boxes a and b [N, 4] of centre x, y, width, height -> [N]: overlap, less the
/// distance of the centres and the difference of the shapes (Zheng et al. 2020, arXiv:1911.08287).
[[nodiscard]] at::Tensor complete_iou(const at::Tensor& a, const at::Tensor& b);

struct DetectionLoss {
  at::Tensor total;  ///< Weighted sum times the batch size.
  at::Tensor box, objectness, classification;
};

/// raw: outputs of the detector for an input [B, C, H, W]. ignore [B, H, W] bool or undefined:
/// cells that lie mostly there need not be empty. Objectness learns the complete IoU of its box.
[[nodiscard]] DetectionLoss detection_loss(const DetectorMaps& raw,
                                           const std::vector<DetectionTarget>& targets,
                                           const at::Tensor& ignore,
                                           const DetectionLossOptions& options = {});

}  // namespace voxloom::models::wire
