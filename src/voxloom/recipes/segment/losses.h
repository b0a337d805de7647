#pragma once

#include <ATen/core/Tensor.h>

namespace voxloom::recipes::segment {

/// Weights of the four parts (SAM 2's and MedSAM2's recipe).
struct MaskLossWeights {
  double focal = 20.0, dice = 1.0, iou = 1.0, object = 1.0;
};

/// The parts of one answer's loss, each summed over N objects and divided by N; scalars, float32.
struct MaskLossParts {
  at::Tensor focal;   ///< Sigmoid focal loss (alpha 0.25, gamma 2), mean over pixels.
  at::Tensor dice;    ///< 1 - (2 sum p y + 1) / (sum p + sum y + 1).
  at::Tensor iou;     ///< |predicted - actual| overlap, mean over all M masks.
  at::Tensor object;  ///< Binary cross-entropy of the object score.

  [[nodiscard]] at::Tensor total(const MaskLossWeights& weights) const;
};

/// Loss of M competing masks against one truth.
///
/// logits [N, M, S, S], predicted overlaps [N, M], object score logits [N, 1], truth [N, S, S] of
/// zeros and ones. Of each object the mask with the smallest weighted focal plus Dice loss counts
/// in those two; where the object is absent (truth empty) only the object part is left. Computed in
/// float32. Throws kInvalidArgument for shapes that don't fit.
[[nodiscard]] MaskLossParts mask_loss(const at::Tensor& logits,
                                      const at::Tensor& overlaps,
                                      const at::Tensor& score,
                                      const at::Tensor& truth,
                                      const MaskLossWeights& weights = {});

}  // namespace voxloom::recipes::segment
