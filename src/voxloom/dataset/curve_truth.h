#pragma once

#include <array>
#include <filesystem>
#include <optional>
#include <vector>

namespace voxloom::dataset {

/// What a sequence's curve file says about one frame.
struct FrameCurves {
  bool wire_visible = false;
  /// Tip of the longest wire that is visible and whose tip lies in the field: (x, y) in px.
  std::optional<std::array<double, 2>> tip;
};

/// Reads what `wire simulate` writes as sequence.json. One entry a frame, in order. Throws
/// kNotFound, kDataCorrupt naming the file.
[[nodiscard]] std::vector<FrameCurves> read_curves(const std::filesystem::path& file);

}  // namespace voxloom::dataset
