#include "voxloom/serve/datastore/json_text.h"

#include <utility>

#include "voxloom/core/error.h"
#include "voxloom/serve/http/json_text.h"

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

Json parse_json(std::string_view text, std::string_view where, const JsonLimits& limits) {
  VOXLOOM_CHECK(text.size() <= limits.max_bytes,
                ErrorCode::kDataCorrupt,
                "{}: must have at most {} bytes, got {}",
                where,
                limits.max_bytes,
                text.size());
  http::JsonReading read = http::read_json(text, limits.max_depth);
  VOXLOOM_CHECK(read.error.empty(), ErrorCode::kDataCorrupt, "{}: {}", where, read.error);
  return std::move(read.value);
}

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

bool is_utf8(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  for (size_t i = 0; i < text.size();) {
    const unsigned char lead = byte(i);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || i + length > text.size()) return false;
    for (size_t k = 1; k < length; ++k) {
      if ((byte(i + k) & 0xc0) != 0x80) return false;
    }
    const unsigned char second = byte(i + 1);
    const bool overlong = (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
    const bool surrogate = lead == 0xed && second > 0x9f;
    const bool too_large = lead == 0xf4 && second > 0x8f;
    if (overlong || surrogate || too_large) return false;
    i += length;
  }
  return true;
}

}  // namespace voxloom::serve
