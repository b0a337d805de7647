#include "voxloom/nn/hybrid_loss.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include <ATen/ATen.h>

#include "voxloom/core/error.h"
#include "voxloom/nn/full_precision.h"
#include "voxloom/nn/topology_losses.h"
#include "voxloom/tensor/view.h"

namespace voxloom::nn {

namespace {

// Shares of the topology weight: the published recipe's 0.25 and 0.1 of 0.35, 0.2 and 0.15 of 0.35.
constexpr double kFromBce = 5.0 / 7.0, kFromDice = 2.0 / 7.0, kClDiceShare = 4.0 / 7.0;

class Terms {
 public:
  void add(const std::string& name, double weight, const at::Tensor& value) {
    loss.terms.push_back({name, weight, value.detach()});
    const at::Tensor part = weight * value;
    loss.total = loss.total.defined() ? loss.total + part : part;
  }

  HybridLoss loss;
};

struct Target {
  at::Tensor y, weight;
};

// The target as a head of k times fewer rows and columns sees it.
Target reduced(const Target& full, int64_t k) {
  at::Tensor y = full.y.to(at::kFloat);
  Target small;
  if (full.weight.defined()) {
    y = y.masked_fill(full.weight <= 0, 0.0);
    small.weight = at::avg_pool2d(full.weight.to(at::kFloat), {k, k});
  }
  small.y = at::max_pool2d(y, {k, k});
  return small;
}

at::Tensor head_losses(const std::vector<at::Tensor>& logits,
                       const Target& target,
                       const BceOptions& bce,
                       const DiceOptions& dice,
                       const HybridWeights& weights) {
  at::Tensor sum;
  const double both = weights.bce + weights.dice;
  for (size_t head = 1; head < logits.size(); ++head) {
    const at::Tensor& z = logits[head];
    const int64_t k = z.dim() == 4 && z.size(2) > 0 ? target.y.size(2) / z.size(2) : 0;
    VOXLOOM_CHECK(k > 0 && z.size(2) * k == target.y.size(2) && z.size(3) * k == target.y.size(3),
                  ErrorCode::kInvalidArgument,
                  "hybrid loss: head {} must be the target {} divided by a whole number, got {}",
                  head,
                  tensor::shape_str(target.y),
                  tensor::shape_str(z));
    const Target small = reduced(target, k);
    const at::Tensor loss =
        (weights.bce * bce_loss(z, small.y, small.weight, bce) +
         weights.dice * dice_loss(to_full(z).sigmoid(), small.y, small.weight, dice)) /
        both;
    sum = sum.defined() ? sum + loss : loss;
  }
  return sum / static_cast<double>(logits.size() - 1);
}

}  // namespace

void HybridOptions::visit(OptionList& list) {
  list.choice("--topology",
              topology,
              {"none", "cldice", "cldice-cbdice", "skeleton-recall"},
              "What BCE and Dice are joined by late in training.");
  list.choice("--dice",
              dice,
              {"image", "batch", "nnunet"},
              "Dice of every image, of the whole batch, or nnU-Net's.");
  list.option("--dice-smooth", dice_smooth, "Added to both sides of Dice.").with_range(0.0, 1e6);
  list.option("--pos-weight", pos_weight, "Factor of BCE's foreground term.").with_range(0.01, 1e4);
  list.option("--focal-gamma", focal_gamma, "Focal exponent of BCE, 0: off.").with_range(0.0, 10.0);
  list.option("--ramp-begin", ramp_begin, "Share of the training before the topology term.")
      .with_range(0.0, 1.0);
  list.option("--ramp-end", ramp_end, "Share after which its weight stays.").with_range(0.0, 1.0);
  list.option("--topology-weight", topology_weight, "Weight of the topology term at the end.")
      .with_range(0.0, 0.7);
  list.option("--iterations-begin", iterations_begin, "Soft skeleton iterations at the beginning.")
      .with_range(0, 100);
  list.option("--iterations-end", iterations_end, "Soft skeleton iterations at the end.")
      .with_range(0, 100);
  list.option("--min-dice", min_dice, "No topology term below this soft Dice of the batch.")
      .with_range(0.0, 1.0);
  list.option("--sharpness", sharpness, "Largest slope of the topology term's sigmoid.")
      .with_range(1.0, 100.0);
  list.option("--head-weight", head_weight, "Weight of the deep supervision heads.")
      .with_range(0.0, 10.0);
}

void HybridOptions::validate() const {
  VOXLOOM_CHECK(ramp_begin >= 0.0 && ramp_begin <= ramp_end && ramp_end <= 1.0,
                ErrorCode::kInvalidArgument,
                "hybrid loss: ramp must begin before it ends, in [0, 1], got {} to {}",
                ramp_begin,
                ramp_end);
  VOXLOOM_CHECK(topology_weight >= 0.0 && topology_weight * kFromBce <= 0.5,
                ErrorCode::kInvalidArgument,
                "hybrid loss: topology_weight must lie in [0, 0.7], got {}",
                topology_weight);
  VOXLOOM_CHECK(iterations_begin >= 0 && iterations_begin <= iterations_end,
                ErrorCode::kInvalidArgument,
                "hybrid loss: iterations must not shrink, got {} to {}",
                iterations_begin,
                iterations_end);
  VOXLOOM_CHECK(sharpness >= 1.0 && head_weight >= 0.0,
                ErrorCode::kInvalidArgument,
                "hybrid loss: sharpness must be 1 or more and head_weight not negative, got {} and "
                "{}",
                sharpness,
                head_weight);
}

HybridWeights hybrid_weights(const HybridOptions& options, double progress) {
  options.validate();
  HybridWeights weights;
  weights.iterations = options.iterations_begin;
  if (options.topology == TopologyTerm::kNone) return weights;
  double ramp = progress >= options.ramp_end ? 1.0 : 0.0;
  if (progress > options.ramp_begin && progress < options.ramp_end) {
    const double t = (progress - options.ramp_begin) / (options.ramp_end - options.ramp_begin);
    ramp = 0.5 * (1.0 - std::cos(std::numbers::pi * t));
  }
  const double topology = options.topology_weight * ramp;
  weights.bce -= kFromBce * topology;
  weights.dice -= kFromDice * topology;
  switch (options.topology) {
    case TopologyTerm::kClDiceCbDice:
      weights.cldice = kClDiceShare * topology;
      weights.cbdice = topology - weights.cldice;
      break;
    case TopologyTerm::kSkeletonRecall:
      weights.recall = topology;
      break;
    default:
      weights.cldice = topology;
  }
  weights.iterations +=
      std::lround(ramp * static_cast<double>(options.iterations_end - options.iterations_begin));
  weights.sharpness = 1.0 + ramp * (options.sharpness - 1.0);
  return weights;
}

HybridLoss hybrid_loss(const std::vector<at::Tensor>& logits,
                       const at::Tensor& y,
                       const at::Tensor& weight,
                       const HybridOptions& options,
                       double progress,
                       const at::Tensor& skeleton) {
  VOXLOOM_CHECK(!logits.empty(), ErrorCode::kInvalidArgument, "hybrid loss: must have logits");
  const FullPrecisionGuard guard;
  const HybridWeights weights = hybrid_weights(options, progress);
  const BceOptions bce{.pos_weight = options.pos_weight, .focal_gamma = options.focal_gamma};
  const DiceOptions dice{.kind = options.dice, .smooth = options.dice_smooth};
  const at::Tensor z = to_full(logits.front());
  const at::Tensor p = z.sigmoid();

  Terms terms;
  terms.add("bce", weights.bce, bce_loss(z, y, weight, bce));
  terms.add("dice", weights.dice, dice_loss(p, y, weight, dice));
  if (weights.topology() > 0.0) {
    const at::Tensor batch_dice = dice_loss(p.detach(), y, weight, {.kind = DiceKind::kBatch});
    terms.loss.guarded = 1.0 - batch_dice.item<double>() < options.min_dice;
  }
  if (weights.topology() > 0.0 && !terms.loss.guarded) {
    const at::Tensor sharp = weights.sharpness == 1.0 ? p : sharp_sigmoid(z, weights.sharpness);
    if (weights.cldice > 0.0) {
      terms.add("cldice",
                weights.cldice,
                cldice_loss(sharp, y, weight, {.iterations = weights.iterations}));
    }
    if (weights.cbdice > 0.0) terms.add("cbdice", weights.cbdice, cbdice_loss(sharp, y, weight));
    if (weights.recall > 0.0) {
      const at::Tensor course = skeleton.defined() ? skeleton : target_skeleton(y, 10, weight);
      terms.add("skeleton_recall", weights.recall, skeleton_recall_loss(sharp, course, weight));
    }
  }
  if (logits.size() > 1 && options.head_weight > 0.0) {
    terms.add("heads", options.head_weight, head_losses(logits, {y, weight}, bce, dice, weights));
  }
  return std::move(terms.loss);
}

}  // namespace voxloom::nn
