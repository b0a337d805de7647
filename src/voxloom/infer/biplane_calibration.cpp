#include "voxloom/infer/biplane_calibration.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include <nlohmann/json.hpp>

#include "voxloom/core/error.h"
#include "voxloom/core/json_text.h"

namespace voxloom::infer {
namespace {

using nlohmann::ordered_json;

constexpr auto kCorrupt = ErrorCode::kDataCorrupt;

void check_keys(const ordered_json& object,
                const std::string& where,
                const std::vector<std::string_view>& known) {
  VOXLOOM_CHECK(
      object.is_object(), kCorrupt, "{}: must be an object, got {}", where, object.type_name());
  for (const auto& [key, value] : object.items()) {
    VOXLOOM_CHECK(std::find(known.begin(), known.end(), key) != known.end(),
                  kCorrupt,
                  "{}: has the unknown key '{}'",
                  where,
                  key);
  }
}

const ordered_json& member(const ordered_json& object, const char* key, const std::string& where) {
  const auto found = object.find(key);
  VOXLOOM_CHECK(found != object.end(), kCorrupt, "{}: must have '{}', got none", where, key);
  return *found;
}

double number(const ordered_json& value, const std::string& where) {
  VOXLOOM_CHECK(value.is_number() && std::isfinite(value.get<double>()),
                kCorrupt,
                "{}: must be a finite number, got {}",
                where,
                value.type_name());
  return value.get<double>();
}

template <size_t N>
std::array<double, N> numbers(const ordered_json& value, const std::string& where) {
  VOXLOOM_CHECK(
      value.is_array() && value.size() == N,
      kCorrupt,
      "{}: must be a list of {} numbers, got {}",
      where,
      N,
      value.is_array() ? format("{} items", value.size()) : std::string(value.type_name()));
  std::array<double, N> list{};
  for (size_t i = 0; i < N; ++i) list[i] = number(value[i], where);
  return list;
}

int64_t side(const ordered_json& value, const std::string& where) {
  VOXLOOM_CHECK(
      value.is_number_integer() && value.get<int64_t>() >= 1 && value.get<int64_t>() <= 16384,
      kCorrupt,
      "{}: must be a whole number of px within [1, 16384], got {}",
      where,
      value.is_number() ? value.dump() : std::string(value.type_name()));
  return value.get<int64_t>();
}

Projection read_c_arm(const ordered_json& json,
                      const std::array<int64_t, 2>& size,
                      const std::string& where) {
  check_keys(json,
             where,
             {"sid_mm",
              "sod_mm",
              "primary_deg",
              "secondary_deg",
              "pixel_mm",
              "principal_point",
              "isocentre_mm"});
  CArm arm;
  arm.sid_mm = number(member(json, "sid_mm", where), where + ".sid_mm");
  arm.sod_mm = number(member(json, "sod_mm", where), where + ".sod_mm");
  arm.primary_deg = number(member(json, "primary_deg", where), where + ".primary_deg");
  arm.secondary_deg = number(member(json, "secondary_deg", where), where + ".secondary_deg");
  const auto& pixel = member(json, "pixel_mm", where);
  if (pixel.is_array()) {
    arm.pixel_mm = numbers<2>(pixel, where + ".pixel_mm");
  } else {
    arm.pixel_mm.fill(number(pixel, where + ".pixel_mm"));
  }
  if (json.contains("principal_point")) {
    arm.principal_point = numbers<2>(json["principal_point"], where + ".principal_point");
  }
  if (json.contains("isocentre_mm")) {
    arm.isocentre_mm = numbers<3>(json["isocentre_mm"], where + ".isocentre_mm");
  }
  arm.width = size[0];
  arm.height = size[1];
  return project_c_arm(arm, where);
}

Projection read_matrix(const ordered_json& json, const std::string& where) {
  VOXLOOM_CHECK(json.is_array() && json.size() == 3,
                kCorrupt,
                "{}: must be 3 rows of 4 numbers, got {}",
                where,
                json.is_array() ? format("{} rows", json.size()) : std::string(json.type_name()));
  Projection::Matrix matrix{};
  for (size_t r = 0; r < 3; ++r) matrix[r] = numbers<4>(json[r], format("{} row {}", where, r));
  return {matrix, where};
}

BiplaneView read_view(const ordered_json& json, const std::string& where, const char* name) {
  check_keys(json, where, {"name", "c_arm", "projection", "width", "height", "time_offset_s"});
  const bool has_arm = json.contains("c_arm"), has_matrix = json.contains("projection");
  VOXLOOM_CHECK(has_arm != has_matrix,
                kCorrupt,
                "{}: must have either 'c_arm' or 'projection', got {}",
                where,
                has_arm ? "both" : "neither");
  VOXLOOM_CHECK(
      json.contains("width") == json.contains("height") && (!has_arm || json.contains("width")),
      kCorrupt,
      "{}: must have 'width' and 'height' of the frames in px, {}",
      where,
      has_arm ? "which a c_arm needs" : "both or neither");
  std::optional<std::array<int64_t, 2>> size;
  if (json.contains("width")) {
    size = {side(json["width"], where + ".width"), side(json["height"], where + ".height")};
  }
  BiplaneView view{.projection = has_arm ? read_c_arm(json["c_arm"], *size, where + ".c_arm")
                                         : read_matrix(json["projection"], where + ".projection"),
                   .name = name,
                   .size = size};
  if (json.contains("name")) {
    VOXLOOM_CHECK(
        json["name"].is_string() && json["name"].get_ref<const std::string&>().size() <= 64,
        kCorrupt,
        "{}.name: must be text of at most 64 bytes",
        where);
    view.name = json["name"].get<std::string>();
  }
  if (json.contains("time_offset_s")) {
    view.time_offset_s = number(json["time_offset_s"], where + ".time_offset_s");
  }
  return view;
}

}  // namespace

std::array<BiplaneView, 2> parse_biplane_calibration(std::string_view text,
                                                     const std::string& where) {
  const auto json =
      parse_json(text, where, kCorrupt, {.max_bytes = size_t{1} << 20, .max_depth = 8});
  check_keys(json, where, {"voxloom_biplane", "views", "comment"});
  const auto& version = member(json, "voxloom_biplane", where);
  VOXLOOM_CHECK(version.is_number_integer() && version.get<int64_t>() == 1,
                kCorrupt,
                "{}: voxloom_biplane must be 1, got {}",
                where,
                version.is_number() ? version.dump() : std::string(version.type_name()));
  const auto& views = member(json, "views", where);
  VOXLOOM_CHECK(views.is_array() && views.size() == 2,
                kCorrupt,
                "{}: views must be a list of 2, got {}",
                where,
                views.is_array() ? std::to_string(views.size()) : std::string(views.type_name()));
  return {read_view(views[0], where + ": view A", "A"),
          read_view(views[1], where + ": view B", "B")};
}

}  // namespace voxloom::infer
