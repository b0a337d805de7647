#include "voxloom/infer/prompt_json.h"

#include <algorithm>
#include <initializer_list>
#include <limits>

#include <nlohmann/json.hpp>

#include "voxloom/core/error.h"

namespace voxloom::infer {
namespace {

using nlohmann::ordered_json;

[[noreturn]] void bad(const std::string& where, std::string_view rule, const ordered_json& got) {
  std::string text = got.dump();
  if (text.size() > 80) text = text.substr(0, 80) + "...";
  throw Error(ErrorCode::kInvalidArgument, format("{}: must be {}, got {}", where, rule, text));
}

void check_keys(const ordered_json& object,
                const std::string& where,
                std::initializer_list<std::string_view> known) {
  if (!object.is_object()) bad(where, "an object", object);
  for (const auto& [key, value] : object.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      throw Error(ErrorCode::kInvalidArgument, format("{}: unknown key '{}'", where, key));
    }
  }
}

int64_t whole(const ordered_json& value, const std::string& where) {
  if (!value.is_number_integer() ||
      (value.is_number_unsigned() &&
       value.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))) {
    bad(where, "a whole number", value);
  }
  return value.get<int64_t>();
}

const ordered_json& member(const ordered_json& object, const std::string& where, const char* key) {
  const auto found = object.find(key);
  VOXLOOM_CHECK(
      found != object.end(), ErrorCode::kInvalidArgument, "{}: must have '{}'", where, key);
  return *found;
}

const ordered_json& list_member(const ordered_json& object,
                                const std::string& where,
                                const char* key) {
  static const ordered_json none = ordered_json::array();
  const auto found = object.find(key);
  if (found == object.end()) return none;
  if (!found->is_array()) bad(where + "." + key, "a list", *found);
  return *found;
}

image::Index3 index3(const ordered_json& value, const std::string& where) {
  if (!value.is_array() || value.size() != 3) bad(where, "three whole numbers [x, y, z]", value);
  return {whole(value[0], where), whole(value[1], where), whole(value[2], where)};
}

ordered_json mask_to_json(const MaskPrompt& mask, const image::Geometry& geometry) {
  ordered_json runs = ordered_json::array();
  for (size_t i = 0; i < mask.pixels.size();) {
    if (mask.pixels[i] == 0) {
      ++i;
      continue;
    }
    const size_t start = i;
    while (i < mask.pixels.size() && mask.pixels[i] != 0) ++i;
    runs.push_back(start);
    runs.push_back(i - start);
  }
  return {{"z", mask.z}, {"size", {geometry.size[0], geometry.size[1]}}, {"runs", runs}};
}

MaskPrompt mask_from_json(const ordered_json& object,
                          const std::string& where,
                          const image::Geometry& geometry) {
  check_keys(object, where, {"z", "size", "runs"});
  MaskPrompt mask;
  mask.z = whole(member(object, where, "z"), where + ".z");
  const auto& size = member(object, where, "size");
  if (size != ordered_json{geometry.size[0], geometry.size[1]}) {
    bad(where + ".size", format("[{}, {}]", geometry.size[0], geometry.size[1]), size);
  }
  const int64_t count = geometry.size[0] * geometry.size[1];
  mask.pixels.assign(static_cast<size_t>(count), 0);
  const auto& runs = member(object, where, "runs");
  if (!runs.is_array() || runs.size() % 2 != 0) bad(where + ".runs", "pairs of numbers", runs);
  for (size_t i = 0; i < runs.size(); i += 2) {
    const int64_t start = whole(runs[i], where + ".runs");
    const int64_t length = whole(runs[i + 1], where + ".runs");
    VOXLOOM_CHECK(start >= 0 && length >= 1 && start < count && length <= count - start,
                  ErrorCode::kInvalidArgument,
                  "{}.runs: must lie within {} pixels, got start {} length {}",
                  where,
                  count,
                  start,
                  length);
    std::fill_n(mask.pixels.begin() + start, length, uint8_t{1});
  }
  return mask;
}

ObjectPrompt object_from_json(const ordered_json& item,
                              const std::string& where,
                              size_t position,
                              const image::Geometry& geometry) {
  check_keys(item, where, {"name", "value", "points", "boxes", "masks"});
  ObjectPrompt object;
  if (const auto name = item.find("name"); name != item.end()) {
    if (!name->is_string()) bad(where + ".name", "text", *name);
    object.name = name->get<std::string>();
  }
  int64_t value = static_cast<int64_t>(position) + 1;
  if (const auto given = item.find("value"); given != item.end()) {
    value = whole(*given, where + ".value");
  }
  VOXLOOM_CHECK(value >= 1 && value <= 65535,
                ErrorCode::kInvalidArgument,
                "{}.value: must lie within [1, 65535], got {}",
                where,
                value);
  object.value = static_cast<uint16_t>(value);
  const auto& points = list_member(item, where, "points");
  for (size_t i = 0; i < points.size(); ++i) {
    const std::string place = format("{}.points[{}]", where, i);
    check_keys(points[i], place, {"voxel", "positive"});
    PointPrompt point;
    point.voxel = index3(member(points[i], place, "voxel"), place + ".voxel");
    if (const auto sign = points[i].find("positive"); sign != points[i].end()) {
      if (!sign->is_boolean()) bad(place + ".positive", "true or false", *sign);
      point.positive = sign->get<bool>();
    }
    object.points.push_back(point);
  }
  const auto& boxes = list_member(item, where, "boxes");
  for (size_t i = 0; i < boxes.size(); ++i) {
    const std::string place = format("{}.boxes[{}]", where, i);
    check_keys(boxes[i], place, {"lo", "hi"});
    object.boxes.push_back({index3(member(boxes[i], place, "lo"), place + ".lo"),
                            index3(member(boxes[i], place, "hi"), place + ".hi")});
  }
  const auto& masks = list_member(item, where, "masks");
  for (size_t i = 0; i < masks.size(); ++i) {
    object.masks.push_back(mask_from_json(masks[i], format("{}.masks[{}]", where, i), geometry));
  }
  return object;
}

}  // namespace

ordered_json prompts_to_json(const std::vector<ObjectPrompt>& objects,
                             const image::Geometry& geometry) {
  ordered_json list = ordered_json::array();
  for (const auto& object : objects) {
    ordered_json item{{"name", object.name}, {"value", object.value}};
    for (const auto& point : object.points) {
      item["points"].push_back({{"voxel", point.voxel}, {"positive", point.positive}});
    }
    for (const auto& box : object.boxes) {
      item["boxes"].push_back({{"lo", box.lo}, {"hi", box.hi}});
    }
    for (const auto& mask : object.masks) item["masks"].push_back(mask_to_json(mask, geometry));
    list.push_back(std::move(item));
  }
  return list;
}

std::vector<ObjectPrompt> prompts_from_json(const ordered_json& list,
                                            const image::Geometry& geometry) {
  if (!list.is_array()) bad("prompts", "a list of objects", list);
  std::vector<ObjectPrompt> objects;
  for (size_t i = 0; i < list.size(); ++i) {
    objects.push_back(object_from_json(list[i], format("prompts[{}]", i), i, geometry));
  }
  return objects;
}

}  // namespace voxloom::infer
