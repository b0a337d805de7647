#include "voxloom/dataset/class_map_json.h"

#include <charconv>
#include <string>
#include <utility>

#include "voxloom/core/error.h"

namespace voxloom::dataset {
namespace {

/// A whole number within [0, 255] or -1.
int parse_id(std::string_view text) {
  int value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return -1;
  return value >= 0 && value <= 255 ? value : -1;
}

void add_entry(ClassMap& map, std::string_view ids, std::string_view name, ErrorCode code) {
  const size_t dash = ids.find('-');
  const int first = parse_id(ids.substr(0, dash));
  const int last = dash == std::string_view::npos ? first : parse_id(ids.substr(dash + 1));
  VOXLOOM_CHECK(first >= 0 && last >= first,
                code,
                "classes: an id must be a number or a range within [0, 255], got '{}'",
                ids);
  WireClass wire_class{};
  try {
    wire_class = wire_class_from_name(name);
  } catch (const Error& error) {
    throw Error(code, format("classes: {}", error.what()));
  }
  for (auto id = static_cast<size_t>(first); id <= static_cast<size_t>(last); ++id) {
    VOXLOOM_CHECK(
        map[id] == kUnknownClass, code, "classes: an id must be named once, got {} twice", id);
    map[id] = static_cast<uint8_t>(wire_class);
  }
}

}  // namespace

nlohmann::ordered_json class_map_to_json(const ClassMap& map) {
  auto json = nlohmann::ordered_json::object();
  for (size_t first = 0; first < map.size();) {
    size_t end = first + 1;
    while (end < map.size() && map[end] == map[first]) ++end;
    if (map[first] != kUnknownClass) {
      const std::string ids = end == first + 1
                                  ? std::to_string(first)
                                  : std::to_string(first) + "-" + std::to_string(end - 1);
      json[ids] = wire_class_name(static_cast<WireClass>(map[first]));
    }
    first = end;
  }
  return json;
}

ClassMap class_map_from_json(const nlohmann::ordered_json& json) {
  VOXLOOM_CHECK(json.is_object(),
                ErrorCode::kDataCorrupt,
                "classes: must be an object, got {}",
                json.type_name());
  ClassMap map = empty_class_map();
  for (const auto& [ids, name] : json.items()) {
    VOXLOOM_CHECK(name.is_string(),
                  ErrorCode::kDataCorrupt,
                  "classes: a class must be a name, got {}",
                  name.type_name());
    add_entry(map, ids, name.get_ref<const std::string&>(), ErrorCode::kDataCorrupt);
  }
  return map;
}

ClassMap parse_class_map(std::string_view text) {
  ClassMap map = empty_class_map();
  while (!text.empty()) {
    const size_t comma = text.find(',');
    const std::string_view entry = text.substr(0, comma);
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    const size_t equals = entry.find('=');
    VOXLOOM_CHECK(equals != std::string_view::npos,
                  ErrorCode::kInvalidArgument,
                  "classes: must be ID=CLASS,ID-ID=CLASS,..., got '{}'",
                  entry);
    add_entry(map, entry.substr(0, equals), entry.substr(equals + 1), ErrorCode::kInvalidArgument);
  }
  return map;
}

}  // namespace voxloom::dataset
