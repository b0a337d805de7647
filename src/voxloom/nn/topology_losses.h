#pragma once

#include <ATen/core/Tensor.h>

namespace voxloom::nn {

// Losses that look at the course of thin structures. Notation and errors as in losses.h.

struct ClDiceOptions {
  int64_t iterations = 3;  ///< Of the soft skeleton.
  double smooth = 1.0;
};

/// Soft centre-line Dice (Shit et al. 2021, arXiv:2003.07311): with S the soft skeleton,
/// T_prec = (sum S(p) y + s) / (sum S(p) + s), T_sens = (sum S(y) p + s) / (sum S(y) + s), both
/// over the whole batch; 1 - 2 T_prec T_sens / (T_prec + T_sens).
[[nodiscard]] at::Tensor cldice_loss(const at::Tensor& p,
                                     const at::Tensor& y,
                                     const at::Tensor& weight = {},
                                     const ClDiceOptions& options = {});

struct CbDiceOptions {
  int64_t iterations = 10;  ///< Of the soft skeletons, which carry no gradient here.
  double smooth = 1.0;      ///< The authors train with 1e-3.
};

/// Centre-line boundary Dice in 2-D (Shi et al. 2024, arXiv:2407.01517): the sums of clDice with
/// pixels weighted by their distance to the background over the largest radius of the image, and
/// skeleton pixels by the inverse radius in its linear form. Distances and skeletons are computed
/// from masks on the CPU; the gradient goes through p alone. Returns -cbDice, in [-1, 0].
[[nodiscard]] at::Tensor cbdice_loss(const at::Tensor& p,
                                     const at::Tensor& y,
                                     const at::Tensor& weight = {},
                                     const CbDiceOptions& options = {});

/// What skeleton recall looks for: the skeleton of the target, made one pixel wider on every side
/// but never wider than the target itself. y [B, C, H, W] -> 0 or 1, same shape and type as p has.
[[nodiscard]] at::Tensor target_skeleton(const at::Tensor& y,
                                         int64_t iterations = 10,
                                         const at::Tensor& weight = {});

/// 1 - (sum S p + s) / (sum S + s) with the target's skeleton S, which costs no skeleton of the
/// prediction (Kirchhoff et al. 2024, arXiv:2404.03010).
[[nodiscard]] at::Tensor skeleton_recall_loss(const at::Tensor& p,
                                              const at::Tensor& skeleton,
                                              const at::Tensor& weight = {},
                                              double smooth = 1.0);

}  // namespace voxloom::nn
