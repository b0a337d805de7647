#pragma once

#include <ATen/core/Tensor.h>

namespace voxloom::nn {

// Region losses of binary segmentation. Notation of all loss headers:
//   z       logits [B, C, H, W]; p probabilities in [0, 1] of the same shape
//   y       target of the same shape, any type, values in [0, 1]
//   weight  of the same shape (or [B, 1, H, W]): how much a pixel counts; 0: nobody looks at it, as
//           if it lay outside the image. Undefined: 1 everywhere.
// Results are scalars in float32, or float64 where the prediction is; autocast is off inside. Every
// function throws kInvalidArgument for shapes that don't fit.

struct BceOptions {
  double pos_weight = 1.0;   ///< Factor of the foreground term (5 to 20 for thin objects).
  double focal_gamma = 0.0;  ///< Exponent of (1 - p_t) (Lin et al. 2017, arXiv:1708.02002); 0: off.
};

/// Binary cross-entropy from logits, averaged over the weights; 0 when they are all 0.
[[nodiscard]] at::Tensor bce_loss(const at::Tensor& z,
                                  const at::Tensor& y,
                                  const at::Tensor& weight = {},
                                  const BceOptions& options = {});

enum class DiceKind {
  kPerImage,  ///< 1 - mean over images and channels of (2 I + s) / (U + s).
  kBatch,     ///< 1 - the same with one sum over the whole batch: steadier on empty images.
  kNnunet,    ///< Batch sums, denominator at least 1e-8, returns -Dice (nnU-Net v2).
};

struct DiceOptions {
  DiceKind kind = DiceKind::kBatch;
  double smooth = 1.0;  ///< s above; nnU-Net takes 1e-5.
};

/// I = sum p y, U = sum p + sum y.
[[nodiscard]] at::Tensor dice_loss(const at::Tensor& p,
                                   const at::Tensor& y,
                                   const at::Tensor& weight = {},
                                   const DiceOptions& options = {});

// Differentiable stand-ins for argmax and thresholds.

/// Foreground probability of a network with background channel 0: softmax over {z_0, max of the
/// others}, [B, C, H, W] -> [B, 1, H, W]. With one channel: sigmoid(z).
[[nodiscard]] at::Tensor foreground_probability(const at::Tensor& z);

/// sigmoid(beta z): nears a step at z = 0 as beta grows from 1.
[[nodiscard]] at::Tensor sharp_sigmoid(const at::Tensor& z, double beta);

}  // namespace voxloom::nn
