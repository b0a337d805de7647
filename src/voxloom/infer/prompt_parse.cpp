#include "voxloom/infer/prompt_parse.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "voxloom/core/error.h"

namespace voxloom::infer {
namespace {

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> parts;
  for (size_t from = 0;;) {
    const size_t comma = text.find(',', from);
    parts.push_back(text.substr(from, comma - from));
    if (comma == std::string_view::npos) return parts;
    from = comma + 1;
  }
}

bool parse_index(std::string_view text, int64_t& value) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  return result.ec == std::errc{} && result.ptr == text.data() + text.size() && !text.empty();
}

}  // namespace

PointPrompt parse_point(std::string_view text) {
  const auto parts = split(text);
  PointPrompt point;
  bool good = parts.size() == 3 || parts.size() == 4;
  for (size_t i = 0; good && i < 3; ++i) good = parse_index(parts[i], point.voxel[i]);
  if (good && parts.size() == 4) {
    good = parts[3] == "+" || parts[3] == "-";
    point.positive = parts[3] == "+";
  }
  VOXLOOM_CHECK(good,
                ErrorCode::kInvalidArgument,
                "--point: must be x,y,z in whole voxel indices, then ,+ (in the object; the "
                "default) or ,- (not in it), such as 120,88,14,-, got '{}'",
                text);
  return point;
}

BoxPrompt parse_box(std::string_view text) {
  const auto parts = split(text);
  BoxPrompt box;
  bool good = parts.size() == 6;
  for (size_t i = 0; good && i < 6; ++i) {
    good = parse_index(parts[i], i < 3 ? box.lo[i] : box.hi[i - 3]);
  }
  VOXLOOM_CHECK(good,
                ErrorCode::kInvalidArgument,
                "--box: must be x0,y0,z0,x1,y1,z1 in whole voxel indices (both corners inside), "
                "such as 80,60,14,130,110,14, got '{}'",
                text);
  for (size_t i = 0; i < 3; ++i) {
    if (box.lo[i] > box.hi[i]) std::swap(box.lo[i], box.hi[i]);
  }
  return box;
}

ObjectName parse_object(std::string_view text) {
  ObjectName object;
  const size_t equals = text.find('=');
  object.name = std::string(text.substr(0, equals));
  bool good = !object.name.empty() && object.name.size() <= 64;
  for (const char c : object.name)
    good = good && static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
  if (good && equals != std::string_view::npos) {
    int64_t value = 0;
    good = parse_index(text.substr(equals + 1), value) && value >= 1 && value <= 65535;
    object.value = static_cast<uint16_t>(value);
  }
  VOXLOOM_CHECK(good,
                ErrorCode::kInvalidArgument,
                "--object: must be NAME or NAME=VALUE with a name of 1 to 64 characters and a "
                "value within [1, 65535], such as tumour=1, got '{}'",
                text);
  return object;
}

std::vector<MaskPrompt> masks_from_labels(const image::LabelVolume& labels, uint16_t value) {
  const auto& size = labels.geometry().size;
  const size_t plane = static_cast<size_t>(size[0] * size[1]);
  const auto voxels = labels.voxels();
  std::vector<MaskPrompt> masks;
  for (int64_t z = 0; z < size[2]; ++z) {
    const auto slice = voxels.subspan(static_cast<size_t>(z) * plane, plane);
    const auto selected = [value](uint16_t v) { return value == 0 ? v != 0 : v == value; };
    if (std::none_of(slice.begin(), slice.end(), selected)) continue;
    MaskPrompt mask;
    mask.z = z;
    mask.pixels.resize(plane);
    std::transform(slice.begin(), slice.end(), mask.pixels.begin(), [&](uint16_t v) {
      return static_cast<uint8_t>(selected(v));
    });
    masks.push_back(std::move(mask));
  }
  VOXLOOM_CHECK(!masks.empty(),
                ErrorCode::kInvalidArgument,
                "--mask: must hold voxels of {}, got none",
                value == 0 ? std::string("an object") : format("value {}", value));
  return masks;
}

ObjectPrompt& PromptBuilder::current() {
  if (objects_.empty()) {
    objects_.emplace_back();
    has_value_.push_back(false);
  }
  return objects_.back();
}

void PromptBuilder::object(std::string_view text) {
  const ObjectName parsed = parse_object(text);
  ObjectPrompt prompt;
  prompt.name = parsed.name;
  prompt.value = parsed.value.value_or(0);
  objects_.push_back(std::move(prompt));
  has_value_.push_back(parsed.value.has_value());
}

void PromptBuilder::point(std::string_view text) {
  current().points.push_back(parse_point(text));
}

void PromptBuilder::box(std::string_view text) {
  current().boxes.push_back(parse_box(text));
}

void PromptBuilder::mask(const image::LabelVolume& labels, uint16_t value) {
  auto masks = masks_from_labels(labels, value);
  auto& list = current().masks;
  list.insert(
      list.end(), std::make_move_iterator(masks.begin()), std::make_move_iterator(masks.end()));
}

std::vector<ObjectPrompt> PromptBuilder::finish() const {
  auto objects = objects_;
  std::set<uint16_t> used;
  for (size_t i = 0; i < objects.size(); ++i) {
    if (has_value_[i]) used.insert(objects[i].value);
  }
  uint16_t next = 1;
  for (size_t i = 0; i < objects.size(); ++i) {
    if (has_value_[i]) continue;
    while (used.count(next) != 0) ++next;
    objects[i].value = next;
    used.insert(next);
  }
  return objects;
}

}  // namespace voxloom::infer
