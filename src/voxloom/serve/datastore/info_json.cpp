#include "voxloom/serve/datastore/info_json.h"

#include <utility>

#include "voxloom/core/error.h"

namespace voxloom::serve {
namespace {

constexpr size_t kMaxInfoBytes = size_t{4} << 20;
constexpr size_t kMaxInfoDepth = 48;

bool deeper_than(const Json& value, size_t depth) {
  if (!value.is_structured()) return false;
  if (depth == 0) return true;
  for (const auto& member : value) {
    if (deeper_than(member, depth - 1)) return true;
  }
  return false;
}

}  // namespace

void check_info(const Json& info, std::string_view what) {
  VOXLOOM_CHECK(info.is_object() || info.is_null(),
                ErrorCode::kInvalidArgument,
                "{}: must be a JSON object, got {}",
                what,
                info.type_name());
  VOXLOOM_CHECK(!deeper_than(info, kMaxInfoDepth),
                ErrorCode::kInvalidArgument,
                "{}: must be nested at most {} deep",
                what,
                kMaxInfoDepth);
  size_t bytes = 0;
  try {
    bytes = info.dump().size();
  } catch (const Json::type_error&) {
    throw Error(ErrorCode::kInvalidArgument, format("{}: must be UTF-8 text", what));
  }
  VOXLOOM_CHECK(bytes <= kMaxInfoBytes,
                ErrorCode::kInvalidArgument,
                "{}: must have at most {} bytes, got {}",
                what,
                kMaxInfoBytes,
                bytes);
}

void merge_info(Json& info, const Json& extra) {
  if (!info.is_object()) info = Json::object();
  if (!extra.is_object()) return;
  for (const auto& [key, value] : extra.items()) info[key] = value;
}

std::string to_line(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void append_key(Json& object, std::string key, Json value) {
  object.get_ref<Json::object_t&>().emplace_back(std::move(key), std::move(value));
}

std::string text_member(const Json& object, const char* key, const std::string& otherwise) {
  if (!object.is_object()) return otherwise;
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : otherwise;
}

}  // namespace voxloom::serve
