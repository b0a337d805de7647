#pragma once

#include <functional>
#include <map>
#include <set>
#include <vector>

#include "voxloom/core/cancel.h"
#include "voxloom/core/progress.h"
#include "voxloom/models/sam2/memory_bank.h"
#include "voxloom/models/sam2/sam2.h"
#include "voxloom/models/sam2/tracker_types.h"

namespace voxloom::models::sam2 {

/// The stack of slices an object is tracked through.
struct TrackerScope {
  int64_t num_slices = 0;
  int64_t height = 0, width = 0;  ///< Of a slice, in pixels; prompts are given in these.
};

/// Features of slice i, a batch of one. Called at most once per visit of a slice; caching is the
/// caller's business (features don't depend on the object or the direction).
using FeatureSource = std::function<SliceFeatures(int64_t slice)>;

/// Follows one object through the slices of a volume from prompts on some of them.
///
/// Prompted slices condition all others. Nothing is kept that can't be read any more: beside the
/// prompted slices, at most six memory maps and fifteen pointers. One tracker serves one thread;
/// several may share a model.
///
///   ObjectTracker tracker(model, {depth, height, width}, features);
///   tracker.set_points(12, {.box = {{20, 15, 60, 70}}}, PromptMode::kReplace);
///   tracker.propagate({.direction = Direction::kForward}, [&](const SliceOutput& out) {
///     write(out.slice, resize_logits(out.low, height, width) > 0);
///   });
class ObjectTracker {
 public:
  ObjectTracker(Sam2 model,
                const TrackerScope& scope,
                FeatureSource features,
                const ParitySwitches& switches = {});

  /// Puts points and/or a box on a slice; they replace its earlier prompts.
  /// `earlier_low` [1, 1, 4g, 4g]: the mask that kRefine feeds back when the tracker holds none
  /// for the slice (one that was tracked and delivered before); without either, kRefine acts as
  /// kReplace. Throws kInvalidArgument for slices or coordinates outside the volume.
  SliceOutput set_points(int64_t slice,
                         const PointPrompt& prompt,
                         PromptMode mode,
                         const at::Tensor& earlier_low = {});

  /// Takes a mask [height, width] (nonzero: object) as the answer for a slice.
  SliceOutput set_mask(int64_t slice, const at::Tensor& mask);

  /// Removes a slice's prompts and what followed from them. Without any it does nothing.
  void remove_prompts(int64_t slice);

  /// Forgets everything.
  void reset();

  [[nodiscard]] std::vector<int64_t> prompted_slices() const;

  /// Visits slices one by one; `deliver` gets each answer, prompted slices included. Throws
  /// kInvalidArgument when nothing is prompted, kCancelled between two slices. `progress` gets
  /// one step per slice.
  PropagateResult propagate(const PropagateOptions& options,
                            const std::function<void(const SliceOutput&)>& deliver,
                            const CancelToken& cancel = {},
                            Progress* progress = nullptr);

  /// For tests and tools: what is remembered.
  [[nodiscard]] const MemoryBank& bank() const { return bank_; }

 private:
  struct Pending {
    SliceRecord record;
    bool conditioning = true;
  };

  void check_slice(int64_t slice) const;
  [[nodiscard]] HeadsPrompt heads_prompt(const PointPrompt& prompt) const;
  [[nodiscard]] at::Tensor earlier_mask(int64_t slice, const at::Tensor& given) const;
  [[nodiscard]] at::Tensor conditioned(int64_t slice, const at::Tensor& f2, Direction direction);
  [[nodiscard]] std::shared_ptr<const MemoryFrame> remember(const at::Tensor& f2,
                                                            const at::Tensor& logits,
                                                            float score,
                                                            bool prompted);
  SliceOutput store_prompted(int64_t slice, const HeadsOutput& heads);
  SliceRecord track(int64_t slice, Direction direction);
  void commit_prompts();
  /// Memory maps of conditioning slices, made when a slice first reads them: an answer on key
  /// slices alone needs none.
  void remember_prompts();
  std::shared_ptr<const MemoryFrame> remember_prompt(int64_t slice, const SliceRecord& record);
  [[nodiscard]] StabilityFallback fallback() const;

  Sam2 model_;
  TrackerScope scope_;
  FeatureSource features_;
  ParitySwitches switches_;
  MemoryBank bank_;
  std::set<int64_t> inputs_;              ///< Slices with a prompt.
  std::map<int64_t, Pending> pending_;    ///< Prompted since the last propagation.
  std::map<int64_t, Direction> visited_;  ///< Only with keep_all_memories.
};

}  // namespace voxloom::models::sam2
