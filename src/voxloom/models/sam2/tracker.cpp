#include "voxloom/models/sam2/tracker.h"

#include <cmath>

#include "voxloom/core/error.h"
#include "voxloom/models/sam2/holes.h"
#include "voxloom/tensor/view.h"

namespace voxloom::models::sam2 {
namespace {

constexpr double kFeedbackLimit = 32.0;

SliceRecord record_of(const HeadsOutput& heads, int64_t fill_hole_area) {
  SliceRecord record;
  record.pointer = heads.pointer;
  record.low = fill_holes(heads.low, fill_hole_area);
  record.score = heads.score.item<float>();
  record.iou = heads.iou.item<float>();
  return record;
}

SliceOutput output_of(int64_t slice, const SliceRecord& record, bool prompted) {
  return {slice, record.low, record.score, record.iou, prompted};
}

}  // namespace

ObjectTracker::ObjectTracker(Sam2 model,
                             const TrackerScope& scope,
                             FeatureSource features,
                             const ParitySwitches& switches)
    : model_(std::move(model)),
      scope_(scope),
      features_(std::move(features)),
      switches_(switches),
      bank_(model_->options, scope.num_slices) {
  VOXLOOM_CHECK(scope.num_slices > 0 && scope.height > 0 && scope.width > 0,
                ErrorCode::kInvalidArgument,
                "tracker: the volume must have a positive size, got {} slices of {} x {}",
                scope.num_slices,
                scope.height,
                scope.width);
}

void ObjectTracker::check_slice(int64_t slice) const {
  VOXLOOM_CHECK(slice >= 0 && slice < scope_.num_slices,
                ErrorCode::kInvalidArgument,
                "tracker: the slice must be in [0, {}), got {}",
                scope_.num_slices,
                slice);
}

StabilityFallback ObjectTracker::fallback() const {
  StabilityFallback fallback;
  fallback.enabled = switches_.stability_fallback;
  return fallback;
}

HeadsPrompt ObjectTracker::heads_prompt(const PointPrompt& prompt) const {
  std::vector<float> xy;
  std::vector<int64_t> labels;
  const auto add = [&](float x, float y, int64_t label) {
    VOXLOOM_CHECK(std::isfinite(x) && std::isfinite(y),
                  ErrorCode::kInvalidArgument,
                  "tracker: prompt coordinates must be finite, got ({}, {})",
                  static_cast<double>(x),
                  static_cast<double>(y));
    const auto size = static_cast<float>(model_->options.image_size);
    xy.push_back(x / static_cast<float>(scope_.width) * size);
    xy.push_back(y / static_cast<float>(scope_.height) * size);
    labels.push_back(label);
  };
  if (prompt.box) {
    const auto& box = *prompt.box;
    add(box[0], box[1], kBoxTopLeft);
    add(box[2], box[3], kBoxBottomRight);
  }
  for (const auto& point : prompt.points) {
    add(point.x, point.y, point.positive ? kPositive : kNegative);
  }
  VOXLOOM_CHECK(!labels.empty(),
                ErrorCode::kInvalidArgument,
                "tracker: a prompt must have a point or a box, got neither");
  const auto count = static_cast<int64_t>(labels.size());
  const auto device = model_->no_mem_embed.device();
  HeadsPrompt out;
  out.points = torch::tensor(xy).view({1, count, 2}).to(device);
  out.labels = torch::tensor(labels, torch::kLong).view({1, count}).to(device);
  return out;
}

at::Tensor ObjectTracker::earlier_mask(int64_t slice, const at::Tensor& given) const {
  at::Tensor low = given;
  if (const auto it = pending_.find(slice); it != pending_.end()) {
    low = it->second.record.low;
  } else if (const auto seen = bank_.prompted.find(slice); seen != bank_.prompted.end()) {
    low = seen->second.low;
  } else if (const auto tracked = bank_.tracked.find(slice);
             tracked != bank_.tracked.end() && tracked->second.low.defined()) {
    low = tracked->second.low;
  }
  if (!low.defined()) return low;
  const int64_t size = model_->options.mask_size();
  VOXLOOM_CHECK(low.sizes().vec() == (std::vector<int64_t>{1, 1, size, size}),
                ErrorCode::kInvalidArgument,
                "tracker: an earlier mask must be [1, 1, {}, {}], got {}",
                size,
                size,
                tensor::shape_str(low));
  return low.to(model_->no_mem_embed.device(), at::kFloat).clamp(-kFeedbackLimit, kFeedbackLimit);
}

at::Tensor ObjectTracker::conditioned(int64_t slice, const at::Tensor& f2, Direction direction) {
  remember_prompts();
  MemoryRead memory;
  memory.maps = bank_.maps_for(slice, direction);
  const std::vector<MemoryBank::Pointer> pointers = bank_.pointers_for(slice, direction);
  if (!pointers.empty()) {
    std::vector<at::Tensor> values;
    std::vector<double> times;
    for (const auto& pointer : pointers) {
      values.push_back(pointer.value);
      times.push_back(static_cast<double>(pointer.distance) /
                      static_cast<double>(bank_.longest_distance()));
    }
    std::tie(memory.pointers, memory.pointer_positions) =
        model_->pointer_tokens(at::cat(values, 0), torch::tensor(times, torch::kDouble));
  }
  return model_->condition_on_memory(f2, memory);
}

std::shared_ptr<const MemoryFrame> ObjectTracker::remember(const at::Tensor& f2,
                                                           const at::Tensor& logits,
                                                           float score,
                                                           bool prompted) {
  const int64_t size = model_->options.image_size;
  at::Tensor map = model_->encode_memory(f2,
                                         resize_logits(logits, size, size),
                                         at::full({1, 1}, score, f2.options()),
                                         prompted && switches_.binarise_user_masks);
  if (switches_.bf16_memory) map = map.to(at::kBFloat16);
  return std::make_shared<MemoryFrame>(map, prompted);
}

SliceOutput ObjectTracker::store_prompted(int64_t slice, const HeadsOutput& heads) {
  // A prompt on a slice that was tracked before is a correction of it in the original, and
  // replaces its output there; everywhere else it makes the slice a conditioning one.
  Pending pending{record_of(heads, switches_.fill_hole_area), !visited_.contains(slice)};
  const SliceOutput output = output_of(slice, pending.record, /*prompted=*/true);
  pending_[slice] = std::move(pending);
  return output;
}

SliceOutput ObjectTracker::set_points(int64_t slice,
                                      const PointPrompt& prompt,
                                      PromptMode mode,
                                      const at::Tensor& earlier_low) {
  check_slice(slice);
  const torch::NoGradGuard no_grad;
  HeadsPrompt input = heads_prompt(prompt);
  if (mode == PromptMode::kRefine || switches_.always_refine) {
    input.mask = earlier_mask(slice, earlier_low);
  }
  const SliceFeatures features = features_(slice);
  const auto visited = visited_.find(slice);
  const at::Tensor f2 = visited == visited_.end()
                            ? model_->without_memory(features.f2)
                            : conditioned(slice, features.f2, visited->second);
  const bool multimask = model_->uses_multimask(input.labels.size(1));
  const HeadsOutput heads = model_->heads(f2, features, input, multimask, fallback());
  inputs_.insert(slice);
  return store_prompted(slice, heads);
}

SliceOutput ObjectTracker::set_mask(int64_t slice, const at::Tensor& mask) {
  check_slice(slice);
  VOXLOOM_CHECK(mask.dim() == 2 && mask.size(0) == scope_.height && mask.size(1) == scope_.width,
                ErrorCode::kInvalidArgument,
                "tracker: a mask must be [{}, {}], got {}",
                scope_.height,
                scope_.width,
                tensor::shape_str(mask));
  const torch::NoGradGuard no_grad;
  const int64_t size = model_->options.image_size;
  const at::Tensor whole = (mask != 0)
                               .to(model_->no_mem_embed.device(), at::kFloat)
                               .view({1, 1, scope_.height, scope_.width});
  const at::Tensor square = (resize_smooth(whole, size, size) >= 0.5).to(at::kFloat);
  const HeadsOutput heads = model_->mask_as_output(features_(slice), square);
  inputs_.insert(slice);
  return store_prompted(slice, heads);
}

void ObjectTracker::remove_prompts(int64_t slice) {
  check_slice(slice);
  inputs_.erase(slice);
  pending_.erase(slice);
  visited_.erase(slice);
  if (const auto it = bank_.prompted.find(slice); it != bank_.prompted.end()) {
    // The original keeps the answer as an ordinary memory of its neighbours.
    if (switches_.keep_all_memories) {
      if (!it->second.memory) it->second.memory = remember_prompt(slice, it->second);
      bank_.tracked[slice] = it->second;
    }
    bank_.prompted.erase(it);
  }
  if (bank_.prompted.empty() && pending_.empty()) {
    bank_.tracked.clear();
    visited_.clear();
  }
}

void ObjectTracker::reset() {
  inputs_.clear();
  pending_.clear();
  visited_.clear();
  bank_.prompted.clear();
  bank_.tracked.clear();
}

std::vector<int64_t> ObjectTracker::prompted_slices() const {
  return {inputs_.begin(), inputs_.end()};
}

void ObjectTracker::commit_prompts() {
  for (auto& [slice, pending] : pending_) {
    SliceRecord record = std::move(pending.record);
    if (pending.conditioning) {
      bank_.tracked.erase(slice);
      bank_.prompted[slice] = std::move(record);
    } else {
      record.memory = remember_prompt(slice, record);
      bank_.tracked[slice] = std::move(record);
    }
  }
  pending_.clear();
}

void ObjectTracker::remember_prompts() {
  for (auto& [slice, record] : bank_.prompted) {
    if (!record.memory) record.memory = remember_prompt(slice, record);
  }
}

std::shared_ptr<const MemoryFrame> ObjectTracker::remember_prompt(int64_t slice,
                                                                  const SliceRecord& record) {
  return remember(features_(slice).f2, record.low, record.score, /*prompted=*/true);
}

SliceRecord ObjectTracker::track(int64_t slice, Direction direction) {
  const SliceFeatures features = features_(slice);
  const at::Tensor f2 = conditioned(slice, features.f2, direction);
  const HeadsOutput heads =
      model_->heads(f2, features, HeadsPrompt{}, model_->uses_multimask(0), fallback());
  SliceRecord record = record_of(heads, switches_.fill_hole_area);
  // Memory sees the mask before its holes are filled, as in the original.
  record.memory = remember(features.f2, heads.low, record.score, /*prompted=*/false);
  return record;
}

PropagateResult ObjectTracker::propagate(const PropagateOptions& options,
                                         const std::function<void(const SliceOutput&)>& deliver,
                                         const CancelToken& cancel,
                                         Progress* progress) {
  const torch::NoGradGuard no_grad;
  VOXLOOM_CHECK(!inputs_.empty() || !bank_.prompted.empty(),
                ErrorCode::kInvalidArgument,
                "tracker: a slice must be prompted before propagation, got none");
  cancel.check();
  commit_prompts();
  VOXLOOM_CHECK(!bank_.prompted.empty(),
                ErrorCode::kInvalidArgument,
                "tracker: a conditioning slice must be left, got corrections only");
  const bool forward = options.direction == Direction::kForward;
  const int64_t step = forward ? 1 : -1;
  const int64_t first_prompted = bank_.prompted.begin()->first;
  const int64_t last_prompted = bank_.prompted.rbegin()->first;
  const int64_t start = options.start.value_or(forward ? first_prompted : last_prompted);
  const int64_t stop = options.stop.value_or(forward ? scope_.num_slices - 1 : 0);
  check_slice(start);
  check_slice(stop);
  if (!switches_.keep_all_memories) bank_.tracked.clear();

  PropagateResult result;
  int64_t absent = 0;
  for (int64_t slice = start; (stop - slice) * step >= 0; slice += step) {
    cancel.check();
    SliceOutput output;
    const auto prompted = bank_.prompted.find(slice);
    const bool corrected = prompted == bank_.prompted.end() && inputs_.contains(slice);
    if (prompted != bank_.prompted.end()) {
      output = output_of(slice, prompted->second, /*prompted=*/true);
    } else if (corrected) {
      output = output_of(slice, bank_.tracked.at(slice), /*prompted=*/true);
    } else {
      SliceRecord record = track(slice, options.direction);
      output = output_of(slice, record, /*prompted=*/false);
      if (!switches_.keep_all_memories) record.low.reset();
      bank_.tracked[slice] = std::move(record);
    }
    if (switches_.keep_all_memories) {
      visited_[slice] = options.direction;
      bank_.release_behind(slice, options.direction);
    } else {
      bank_.forget_behind(slice, options.direction);
    }
    ++result.slices;
    result.last = slice;
    deliver(output);
    if (progress != nullptr) progress->advance(1);

    absent = output.score > 0 || output.prompted ? 0 : absent + 1;
    const bool prompt_ahead = forward ? last_prompted > slice : first_prompted < slice;
    if (options.stop_after_absent > 0 && absent >= options.stop_after_absent && !prompt_ahead) {
      result.stopped_absent = true;
      break;
    }
  }
  return result;
}

}  // namespace voxloom::models::sam2
