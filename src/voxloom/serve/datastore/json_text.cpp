#include "voxloom/serve/datastore/json_text.h"

#include <unordered_map>
#include <utility>
#include <vector>

#include "voxloom/core/error.h"

namespace voxloom::serve {
namespace {

constexpr size_t kMaxInfoBytes = size_t{4} << 20;
constexpr size_t kMaxInfoDepth = 48;
constexpr size_t kSearchedKeys = 32;  ///< Up to here looking for an equal key costs nothing.

/// Builds a value from the reader's events.
class Builder : public nlohmann::json_sax<Json> {
 public:
  explicit Builder(size_t max_depth) : max_depth_(max_depth) {}

  bool null() override { return add(nullptr); }
  bool boolean(bool v) override { return add(v); }
  bool number_integer(number_integer_t v) override { return add(v); }
  bool number_unsigned(number_unsigned_t v) override { return add(v); }
  bool number_float(number_float_t v, const string_t&) override { return add(v); }
  bool string(string_t& v) override { return add(std::move(v)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(size_t) override { return open(Json::object()); }
  bool start_array(size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    levels_.back().key = std::move(name);
    return true;
  }
  bool parse_error(size_t at, const std::string&, const Json::exception&) override {
    error_ = format("must be valid JSON, got an error at byte {}", at);
    return false;
  }

  Json take() { return std::move(result_); }
  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  /// An object or array that is being filled; `positions` is made once it has many keys.
  struct Level {
    Json value;
    std::string key;
    std::unordered_map<std::string, size_t> positions;
  };

  bool open(Json value) {
    if (levels_.size() >= max_depth_) {
      error_ = format("must be nested at most {} deep", max_depth_);
      return false;
    }
    levels_.push_back({std::move(value), {}, {}});
    return true;
  }

  bool close() {
    Json value = std::move(levels_.back().value);
    levels_.pop_back();
    return add(std::move(value));
  }

  bool add(Json value) {
    if (levels_.empty()) {
      result_ = std::move(value);
      return true;
    }
    Level& level = levels_.back();
    if (level.value.is_array()) {
      level.value.push_back(std::move(value));
      return true;
    }
    auto& members = level.value.get_ref<Json::object_t&>();
    if (members.size() <= kSearchedKeys) {
      level.value[level.key] = std::move(value);
      return true;
    }
    if (level.positions.empty()) {
      for (const auto& member : members) {
        level.positions.emplace(member.first, level.positions.size());
      }
    }
    const auto [it, is_new] = level.positions.emplace(level.key, members.size());
    if (is_new) {
      append_key(level.value, std::move(level.key), std::move(value));
    } else {
      (members.begin() + static_cast<ptrdiff_t>(it->second))->second = std::move(value);
    }
    return true;
  }

  size_t max_depth_;
  std::vector<Level> levels_;
  Json result_;
  std::string error_;
};

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
  Builder builder(limits.max_depth);
  const bool ok = Json::sax_parse(text.begin(), text.end(), &builder);
  VOXLOOM_CHECK(ok, ErrorCode::kDataCorrupt, "{}: {}", where, builder.error());
  return builder.take();
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
