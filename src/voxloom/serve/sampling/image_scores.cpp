#include "voxloom/serve/sampling/image_scores.h"

#include <cmath>
#include <limits>

#include <nlohmann/json.hpp>

#include "voxloom/core/json_text.h"

namespace voxloom::serve {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kLongestLine = size_t{64} << 10;
constexpr int64_t kLargestIndex = int64_t{1} << 40;

Json number_or_null(const std::optional<double>& value) {
  return value ? Json(*value) : Json();
}

/// False when the field is there and neither null nor a finite number.
bool read_score(const Json& object, const char* key, std::optional<double>& out) {
  const auto field = object.find(key);
  if (field == object.end() || field->is_null()) return true;
  if (!field->is_number()) return false;
  out = field->get<double>();
  return std::isfinite(*out);
}

bool read_text(const Json& object, const char* key, std::string& out) {
  const auto field = object.find(key);
  if (field == object.end() || !field->is_string()) return false;
  out = field->get<std::string>();
  return true;
}

bool read_box(const Json& object, infer::BoxPrompt& box) {
  const auto field = object.find("box");
  if (field == object.end() || !field->is_array() || field->size() != 6) return false;
  for (size_t i = 0; i < 6; ++i) {
    const auto& value = (*field)[i];
    if (!value.is_number_integer()) return false;
    const auto index = value.is_number_unsigned() && value.get<uint64_t>() > uint64_t{kLargestIndex}
                           ? kLargestIndex + 1
                           : value.get<int64_t>();
    if (index < 0 || index > kLargestIndex) return false;
    (i < 3 ? box.lo : box.hi)[i % 3] = index;
  }
  for (size_t a = 0; a < 3; ++a) {
    if (box.lo[a] > box.hi[a]) return false;
  }
  return true;
}

}  // namespace

std::string score_line(const ScoreEntry& entry) {
  const auto& lo = entry.box.lo;
  const auto& hi = entry.box.hi;
  const Json line{{"id", entry.id},
                  {"stamp", entry.stamp},
                  {"model", entry.model},
                  {"label", entry.label},
                  {"prompt", entry.origin == PromptOrigin::kPrediction ? "prediction" : "cases"},
                  {"box", {lo[0], lo[1], lo[2], hi[0], hi[1], hi[2]}},
                  {"entropy", number_or_null(entry.scores.entropy)},
                  {"disagreement", number_or_null(entry.scores.disagreement)},
                  {"hardness", number_or_null(entry.scores.hardness)}};
  return line.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::optional<ScoreEntry> parse_score_line(std::string_view line) {
  if (line.size() > kLongestLine) return std::nullopt;
  const auto object = read_json(line).value;
  if (!object.is_object()) return std::nullopt;
  ScoreEntry entry;
  std::string prompt;
  if (!read_text(object, "id", entry.id) || !read_text(object, "stamp", entry.stamp) ||
      !read_text(object, "model", entry.model) || !read_text(object, "prompt", prompt) ||
      !read_box(object, entry.box) || !read_score(object, "entropy", entry.scores.entropy) ||
      !read_score(object, "disagreement", entry.scores.disagreement) ||
      !read_score(object, "hardness", entry.scores.hardness)) {
    return std::nullopt;
  }
  const auto label = object.find("label");
  if (label == object.end() || !label->is_number_unsigned() ||
      label->get<uint64_t>() > std::numeric_limits<uint16_t>::max()) {
    return std::nullopt;
  }
  entry.label = label->get<uint16_t>();
  if (prompt != "prediction" && prompt != "cases") return std::nullopt;
  entry.origin = prompt == "prediction" ? PromptOrigin::kPrediction : PromptOrigin::kCases;
  return entry;
}

}  // namespace voxloom::serve
