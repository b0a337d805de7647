#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "voxloom/infer/prompt.h"

namespace voxloom::serve {

/// What a model's segmentation of one image says about how much it knows; see infer/scores.h.
/// Higher is less sure; absent where it isn't defined.
struct ImageScores {
  std::optional<double> entropy, disagreement, hardness;
  bool operator==(const ImageScores&) const = default;
};

/// Where the prompt of an unlabelled image came from.
enum class PromptOrigin {
  kNone,        ///< No `original` prediction, and no labelled case to go by.
  kPrediction,  ///< The bounding box of its `original` label.
  kCases,       ///< The median relative box of the labelled cases.
};

/// One scored image, as a line of the cache file.
struct ScoreEntry {
  std::string id;
  std::string stamp;  ///< Of the image file: "SIZE:MTIME".
  std::string model;  ///< Name and version of what made the scores.
  uint16_t label = 1;
  PromptOrigin origin = PromptOrigin::kNone;
  infer::BoxPrompt box;
  ImageScores scores;
  bool operator==(const ScoreEntry&) const = default;
};

/// One line of JSON, without its end.
[[nodiscard]] std::string score_line(const ScoreEntry& entry);
/// Nothing for a line that is none (cut short, other fields, numbers out of range).
[[nodiscard]] std::optional<ScoreEntry> parse_score_line(std::string_view line);

}  // namespace voxloom::serve
