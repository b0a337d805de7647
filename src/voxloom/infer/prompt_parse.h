#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "voxloom/image/volume.h"
#include "voxloom/infer/prompt.h"

namespace voxloom::infer {

/// "x,y,z", "x,y,z,+" or "x,y,z,-": a click in voxel indices. Strict: whole numbers, no spaces.
/// Throws kInvalidArgument naming `--point`.
[[nodiscard]] PointPrompt parse_point(std::string_view text);

/// "x0,y0,z0,x1,y1,z1": a box, both corners inside, in any order. Throws kInvalidArgument.
[[nodiscard]] BoxPrompt parse_box(std::string_view text);

/// What `--object NAME[=VALUE]` says.
struct ObjectName {
  std::string name;
  std::optional<uint16_t> value;  ///< Absent: the next free value.
};

/// Names hold 1 to 64 printable characters without '='. Throws kInvalidArgument.
[[nodiscard]] ObjectName parse_object(std::string_view text);

/// One mask prompt for every slice of `labels` with voxels of `value` (0: any value but
/// background). Throws kInvalidArgument when there is none.
[[nodiscard]] std::vector<MaskPrompt> masks_from_labels(const image::LabelVolume& labels,
                                                        uint16_t value = 0);

/// Collects `--object`, `--point`, `--box` and `--mask` in the order in which they were given:
/// each prompt belongs to the object named last; prompts before the first name belong to an
/// unnamed one ("object").
class PromptBuilder {
 public:
  void object(std::string_view text);
  void point(std::string_view text);
  void box(std::string_view text);
  void mask(const image::LabelVolume& labels, uint16_t value = 0);

  /// The objects; those without a value get the lowest values that are free, in order.
  [[nodiscard]] std::vector<ObjectPrompt> finish() const;

 private:
  ObjectPrompt& current();

  std::vector<ObjectPrompt> objects_;
  std::vector<bool> has_value_;
};

/// Checks a whole request and reports every problem in one kInvalidArgument: no object, an object
/// without a positive prompt, prompts outside the volume, boxes with swapped ends, empty masks or
/// masks of another size, two boxes or masks of one object on one key slice, a positive point
/// beyond the strict ends of the object's 3-D box, doubled values and doubled prompts.
void validate_prompts(const std::vector<ObjectPrompt>& objects, const image::Geometry& geometry);

}  // namespace voxloom::infer
