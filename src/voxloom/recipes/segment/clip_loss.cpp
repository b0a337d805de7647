#include "voxloom/recipes/segment/clip_loss.h"

#include <algorithm>

#include <torch/torch.h>

#include "voxloom/recipes/segment/clip_memory.h"

namespace voxloom::recipes::segment {
namespace {

namespace sam2 = models::sam2;

bool contains(const std::vector<int64_t>& list, int64_t value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

class ClipPass {
 public:
  ClipPass(sam2::Sam2& network,
           const Clip& clip,
           const PromptPlan& plan,
           const infer::PromptSimulationOptions& options,
           Rng& rng)
      : network_(network),
        clip_(clip),
        plan_(plan),
        options_(options),
        rng_(rng),
        frames_(clip.images.size(0)),
        objects_(clip.masks.size(1)),
        memory_(network, frames_) {}

  ClipLoss run(bool freeze_image_encoder) {
    {
      const at::AutoGradMode gradients(at::GradMode::is_enabled() && !freeze_image_encoder);
      features_ = network_->encode_image(clip_.images);
      // Whatever autocast made of them: what follows adds to them in full precision.
      for (at::Tensor* map : {&features_.f0, &features_.f1, &features_.f2}) {
        if (map->defined()) *map = map->to(at::kFloat);
      }
    }
    std::vector<int64_t> order = plan_.conditioning;
    for (int64_t t = 0; t < frames_; ++t) {
      if (!contains(order, t)) order.push_back(t);
    }
    for (size_t i = 0; i < order.size(); ++i) {
      const bool prompted = i < plan_.conditioning.size();
      const sam2::HeadsOutput answer = follow(order[i], prompted, prompted && plan_.boxes[i]);
      if (i + 1 < order.size()) remember(order[i], answer, prompted);
    }
    loss_.total = loss_.answers > 0 ? loss_.parts.total({}) : network_->no_mem_embed.sum() * 0.0;
    return loss_;
  }

 private:
  /// Features of one slice for every object; f0 and f1 are shared.
  sam2::SliceFeatures features(int64_t t) const {
    sam2::SliceFeatures slice = features_.slice(t);
    slice.f2 = slice.f2.expand({objects_, -1, -1, -1});
    return slice;
  }

  at::Tensor full_size(const at::Tensor& logits) const {
    const int64_t size = network_->options.image_size;
    return sam2::resize_logits(logits.to(at::kFloat), size, size);
  }

  sam2::HeadsOutput follow(int64_t t, bool prompted, bool box) {
    const sam2::SliceFeatures slice = features(t);
    const at::Tensor truth = clip_.masks[t];
    if (prompted && !plan_.points) return network_->mask_as_output(slice, truth.unsqueeze(1));

    PromptPoints points;
    if (prompted) {
      points = box ? draw_boxes(truth, options_, rng_) : draw_clicks(truth, {}, rng_);
    }
    const at::Tensor conditioned =
        prompted ? network_->without_memory(slice.f2) : memory_.condition(t, slice.f2);
    sam2::HeadsOutput answer = heads(conditioned, slice, points, {});
    measure(answer, truth);
    if (!contains(plan_.corrected, t)) return answer;
    for (int64_t click = 0; click < options_.clicks; ++click) {
      const bool anywhere = rng_.uniform() < options_.click_from_truth_share;
      points = points.with(
          draw_clicks(truth, anywhere ? at::Tensor() : full_size(answer.low).squeeze(1), rng_));
      answer = heads(conditioned, slice, points, answer.low.to(at::kFloat));
      measure(answer, truth);
    }
    return answer;
  }

  sam2::HeadsOutput heads(const at::Tensor& conditioned,
                          const sam2::SliceFeatures& slice,
                          const PromptPoints& points,
                          const at::Tensor& earlier) {
    const int64_t count = points.labels.defined() ? points.labels.size(1) : 0;
    return network_->heads(conditioned,
                           slice,
                           {.points = points.xy, .labels = points.labels, .mask = earlier},
                           network_->uses_multimask(count),
                           {.enabled = false});
  }

  void measure(const sam2::HeadsOutput& answer, const at::Tensor& truth) {
    const MaskLossParts parts =
        mask_loss(full_size(answer.masks), answer.ious, answer.score, truth);
    MaskLossParts& sums = loss_.parts;
    if (loss_.answers++ == 0) {
      sums = parts;
      return;
    }
    sums.focal = sums.focal + parts.focal;
    sums.dice = sums.dice + parts.dice;
    sums.iou = sums.iou + parts.iou;
    sums.object = sums.object + parts.object;
  }

  void remember(int64_t t, const sam2::HeadsOutput& answer, bool prompted) {
    const at::Tensor map = network_->encode_memory(
        features(t).f2, full_size(answer.low), answer.score, /*binarise=*/false);
    memory_.add(t, prompted || contains(plan_.corrected, t), map, answer.pointer);
  }

  sam2::Sam2& network_;
  const Clip& clip_;
  const PromptPlan& plan_;
  const infer::PromptSimulationOptions& options_;
  Rng& rng_;
  int64_t frames_, objects_;
  ClipMemory memory_;
  sam2::SliceFeatures features_;  ///< Of all slices.
  ClipLoss loss_;
};

}  // namespace

ClipLoss clip_loss(sam2::Sam2& network,
                   const Clip& clip,
                   const PromptPlan& plan,
                   const infer::PromptSimulationOptions& options,
                   bool freeze_image_encoder,
                   Rng& rng) {
  return ClipPass(network, clip, plan, options, rng).run(freeze_image_encoder);
}

}  // namespace voxloom::recipes::segment
