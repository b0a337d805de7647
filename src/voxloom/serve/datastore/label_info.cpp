#include "voxloom/serve/datastore/label_info.h"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

namespace voxloom::serve {
namespace {

std::vector<uint16_t> present_values(const image::LabelVolume& labels) {
  std::vector<bool> seen(65536, false);
  for (const uint16_t v : labels.voxels()) seen[v] = true;
  std::vector<uint16_t> out;
  for (size_t v = 1; v < seen.size(); ++v) {
    if (seen[v]) out.push_back(static_cast<uint16_t>(v));
  }
  return out;
}

std::string text(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::optional<uint16_t> voxel_value(const Json& item) {
  for (const char* key : {"idx", "labelID", "label"}) {
    const auto found = item.find(key);
    if (found == item.end() || !found->is_number_integer()) continue;
    const auto value = found->get<int64_t>();
    if (value > 0 && value <= 65535) return static_cast<uint16_t>(value);
  }
  return std::nullopt;
}

// [r, g, b] as 0..255, or as 0..1 where a part is no whole number.
std::optional<std::array<uint8_t, 3>> colour(const Json& item) {
  const auto found = item.find("color");
  if (found == item.end() || !found->is_array() || found->size() < 3) return std::nullopt;
  std::array<double, 3> parts{};
  bool unit = false;
  for (size_t i = 0; i < 3; ++i) {
    const Json& part = (*found)[i];
    if (!part.is_number()) return std::nullopt;
    parts[i] = part.get<double>();
    unit = unit || part.is_number_float();
  }
  unit = unit && *std::max_element(parts.begin(), parts.end()) <= 1.0;
  std::array<uint8_t, 3> out{};
  for (size_t i = 0; i < 3; ++i) {
    out[i] = static_cast<uint8_t>(std::clamp(parts[i] * (unit ? 255.0 : 1.0), 0.0, 255.0) + 0.5);
  }
  return out;
}

std::optional<io::DicomCode> code(const Json& item, const char* key) {
  // Given beside the name, or in the item's segmentAttribute as dcmqi has it.
  const Json* holder = &item;
  const auto attribute = item.find("segmentAttribute");
  if (!item.contains(key) && attribute != item.end() && attribute->is_object()) {
    holder = &*attribute;
  }
  const auto found = holder->find(key);
  if (found == holder->end() || !found->is_object()) return std::nullopt;
  io::DicomCode out{text(*found, "CodeValue"),
                    text(*found, "CodingSchemeDesignator"),
                    text(*found, "CodeMeaning")};
  if (out.value.empty() || out.scheme.empty() || out.meaning.empty()) return std::nullopt;
  return out;
}

}  // namespace

io::SegOptions seg_options(const Json& info, image::LabelVolume& labels) {
  io::SegOptions options;
  options.algorithm_name = text(info, "model");
  if (options.algorithm_name.empty()) options.algorithm_name = "Voxloom";
  const auto list = info.find("label_info");
  if (list == info.end() || !list->is_array()) return options;
  const std::vector<uint16_t> present = present_values(labels);
  const bool by_value = std::any_of(list->begin(), list->end(), [](const Json& item) {
    return item.is_object() && voxel_value(item);
  });
  size_t position = 0;
  for (const Json& item : *list) {
    if (!item.is_object()) continue;
    std::optional<uint16_t> value = voxel_value(item);
    if (!by_value && position < present.size()) value = present[position];
    ++position;
    if (!value) continue;
    const std::string name = text(item, "name");
    std::erase_if(labels.labels, [&](const image::Label& l) { return l.value == *value; });
    if (!name.empty()) labels.labels.push_back({*value, name});
    options.segments.push_back({*value,
                                colour(item),
                                code(item, "SegmentedPropertyCategoryCodeSequence"),
                                code(item, "SegmentedPropertyTypeCodeSequence"),
                                text(item, "model_name")});
  }
  return options;
}

}  // namespace voxloom::serve
