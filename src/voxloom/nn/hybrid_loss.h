#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "voxloom/core/options.h"
#include "voxloom/nn/losses.h"

namespace voxloom::nn {

/// What the hybrid adds to BCE and Dice late in training. Append only.
enum class TopologyTerm { kNone, kClDice, kClDiceCbDice, kSkeletonRecall };

/// Settings of the annealed hybrid (guidewire recipe).
struct HybridOptions {
  TopologyTerm topology = TopologyTerm::kClDice;
  DiceKind dice = DiceKind::kBatch;
  double dice_smooth = 1.0;
  double pos_weight = 1.0;        ///< Of BCE.
  double focal_gamma = 0.0;       ///< Of BCE.
  double ramp_begin = 0.3;        ///< Share of the training before the topology term comes in.
  double ramp_end = 0.7;          ///< Share after which its weight stays.
  double topology_weight = 0.35;  ///< Its weight at the end; BCE gives up 5/7 of it, Dice 2/7.
  int64_t iterations_begin = 3;   ///< Of the soft skeleton of clDice.
  int64_t iterations_end = 5;
  double min_dice = 0.3;  ///< No topology term while the batch's soft Dice lies below.
  double sharpness =
      1.0;  ///< The topology term sees sigmoid(beta z), beta 1 to this with the ramp.
  double head_weight = 0.1;  ///< Of the deep supervision heads (BCE and Dice, their mean).

  void visit(OptionList& list);
  /// Throws kInvalidArgument.
  void validate() const;
};

/// What counts how much at one moment of the training; bce + dice + cldice + cbdice + recall = 1.
struct HybridWeights {
  double bce = 0.5, dice = 0.5;
  double cldice = 0.0, cbdice = 0.0, recall = 0.0;
  int64_t iterations = 3;
  double sharpness = 1.0;

  [[nodiscard]] double topology() const { return cldice + cbdice + recall; }
};

/// progress: share of the training done, in [0, 1]. Between ramp_begin and ramp_end the ramp is
/// r = (1 - cos(pi t)) / 2; with the default weights bce = 0.5 - 0.25 r, dice = 0.5 - 0.1 r,
/// cldice = 0.35 r (kClDiceCbDice: 0.2 r and 0.15 r).
[[nodiscard]] HybridWeights hybrid_weights(const HybridOptions& options, double progress);

/// One part of the loss.
struct LossTerm {
  std::string name;  ///< "bce", "dice", "cldice", "cbdice", "skeleton_recall", "heads".
  double weight = 0.0;
  at::Tensor value;  ///< Scalar without gradient, unweighted.
};

struct HybridLoss {
  at::Tensor total;  ///< Scalar with gradient: the weighted sum.
  std::vector<LossTerm> terms;
  bool guarded = false;  ///< The topology term was due but the soft Dice was too low.
};

/// logits: what WireNetwork::forward_train returns: [B, 1, H, W], then heads [B, 1, H/k, W/k],
/// which are compared with the target's maxima over k x k pixels, so that no thin object is lost.
/// y, weight: [B, 1, H, W] as in losses.h. skeleton: target_skeleton(y) where it is known already;
/// made when it is needed and undefined. Throws kInvalidArgument.
[[nodiscard]] HybridLoss hybrid_loss(const std::vector<at::Tensor>& logits,
                                     const at::Tensor& y,
                                     const at::Tensor& weight,
                                     const HybridOptions& options,
                                     double progress,
                                     const at::Tensor& skeleton = {});

}  // namespace voxloom::nn
