#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>

namespace voxloom::models::sam2 {

/// Where the tracker may differ from the original code. The defaults are this project's;
/// reference() is what the original does on a CPU.
struct ParitySwitches {
  /// Memory maps are rounded to bfloat16, as the original stores them.
  bool bf16_memory = true;
  /// Masks of prompted slices are thresholded before they become memory.
  bool binarise_user_masks = true;
  /// Holes up to this many pixels of the low-resolution mask are filled; 0: none. The original
  /// fills on a GPU (8) and silently does not elsewhere.
  int64_t fill_hole_area = 8;
  /// An unstable single mask gives way to the best of three.
  bool stability_fallback = true;
  /// Every further prompt on a slice feeds its earlier mask back, asked or not: the same box
  /// twice then gives another mask.
  bool always_refine = false;
  /// All memories stay: a pass reads what the pass before it left (the original without a reset
  /// in between), later prompts on tracked slices are corrections that read memory, and memory
  /// grows with the slices. Off: each pass starts from the prompted slices alone and only what
  /// can still be read is kept.
  bool keep_all_memories = false;

  [[nodiscard]] static ParitySwitches reference() {
    ParitySwitches switches;
    switches.fill_hole_area = 0;
    switches.always_refine = true;
    switches.keep_all_memories = true;
    return switches;
  }
};

/// Points and a box on one slice, in its pixels (x, y): the centre of the first pixel is (0, 0).
struct PointPrompt {
  struct Point {
    float x = 0, y = 0;
    bool positive = true;
  };
  std::vector<Point> points{};
  std::optional<std::array<float, 4>> box{};  ///< x0, y0, x1, y1.
};

/// What a prompt on a slice does with the mask that is already there.
enum class PromptMode {
  kReplace,  ///< Forget it: the answer depends on this prompt alone.
  kRefine,   ///< Feed it back to the network beside the prompt.
};

enum class Direction { kForward, kBackward };

/// The tracker's answer for one slice.
struct SliceOutput {
  int64_t slice = 0;
  at::Tensor low;   ///< [1, 1, 4g, 4g] mask logits; -1024 everywhere without the object.
  float score = 0;  ///< Logit that the object is in the slice; <= 0: absent.
  float iou = 0;    ///< Predicted overlap of the mask with the truth.
  bool prompted = false;
};

/// Slices that one propagation visits.
struct PropagateOptions {
  Direction direction = Direction::kForward;
  /// First slice visited. Default: the first prompted slice in the direction of travel.
  std::optional<int64_t> start{};
  /// Last slice visited, inclusive. Default: the end of the volume.
  std::optional<int64_t> stop{};
  /// Stop after this many slices in a row without the object, unless a prompted slice is still
  /// ahead; 0: never.
  int64_t stop_after_absent = 0;
};

struct PropagateResult {
  int64_t slices = 0;           ///< Visited.
  int64_t last = -1;            ///< The last one; -1 when none was.
  bool stopped_absent = false;  ///< Ended by stop_after_absent.
};

}  // namespace voxloom::models::sam2
