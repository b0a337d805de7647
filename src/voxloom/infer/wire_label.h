#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "voxloom/core/cancel.h"
#include "voxloom/core/options.h"
#include "voxloom/core/progress.h"
#include "voxloom/infer/prompt_plan.h"
#include "voxloom/infer/segmenter.h"

namespace voxloom::infer {

/// What `voxloom wire label` is told.
struct WireLabelOptions {
  std::string image, model, output;
  std::vector<std::string> clicks;  ///< "x,y" or "x,y,+" or "x,y,-", in pixels of the picture.
  std::string box;                  ///< "x0,y0,x1,y1", both corners inside; empty: none.
  std::string crop = "auto";        ///< "auto", "none" or the side of a square in pixels.
  int64_t frame = 0;                ///< Of a file with several.
  std::string window = "auto";
  Components components = Components::kLargest;
  bool force = false;
  RuntimeOptions runtime;

  void visit(OptionList& list);
  /// Throws kInvalidArgument naming the flag, also for malformed clicks and boxes.
  void validate() const;
};

/// Throw kInvalidArgument naming `--click`, `--box` or `--crop`.
[[nodiscard]] SliceClick parse_click(std::string_view text);
[[nodiscard]] Rect parse_picture_box(std::string_view text);
/// The side in pixels; 0 for auto, absent for none.
[[nodiscard]] std::optional<int64_t> parse_crop(std::string_view text);

/// A square of the picture around the positive clicks and the box, moved inside it and cut where
/// the picture is smaller. `side` 0: what they span and 32 pixels on each side, at least 128: a
/// wire is about a pixel wide in a network's input of 256 x 256 only in such a crop. A larger
/// side than asked for where prompts would lie outside.
[[nodiscard]] Rect label_crop(const std::vector<SliceClick>& clicks,
                              const std::optional<Rect>& box,
                              int64_t width,
                              int64_t height,
                              int64_t side);

/// Labels one object of one picture by clicks and a box with any `segment` model, and writes
/// mask.png (0 and 255), overlay.png and label.json (COCO RLE, box, area, crop, prompts, model and
/// times) into the output folder. Returns what label.json holds.
///
/// Throws kInvalidArgument for prompts outside the picture and for none that is positive,
/// kAlreadyExists before anything is computed, and what reading the picture and the model throws.
[[nodiscard]] nlohmann::ordered_json label_wire(const WireLabelOptions& options,
                                                Progress& progress,
                                                const CancelToken& stop);

}  // namespace voxloom::infer
