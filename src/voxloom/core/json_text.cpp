#include "voxloom/core/json_text.h"

#include <unordered_map>
#include <utility>
#include <vector>

namespace voxloom {
namespace {

using nlohmann::ordered_json;

constexpr size_t kSearchedKeys = 32;  ///< Up to here looking for an equal key costs nothing.

/// Builds a value from the reader's events.
class Builder : public nlohmann::json_sax<ordered_json> {
 public:
  explicit Builder(size_t max_depth) : max_depth_(max_depth) {}

  bool null() override { return add(nullptr); }
  bool boolean(bool v) override { return add(v); }
  bool number_integer(number_integer_t v) override { return add(v); }
  bool number_unsigned(number_unsigned_t v) override { return add(v); }
  bool number_float(number_float_t v, const string_t&) override { return add(v); }
  bool string(string_t& v) override { return add(std::move(v)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(size_t) override { return open(ordered_json::object()); }
  bool start_array(size_t) override { return open(ordered_json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    levels_.back().key = std::move(name);
    return true;
  }
  bool parse_error(size_t at, const std::string&, const ordered_json::exception&) override {
    error_ = format("must be valid JSON, got an error at byte {}", at);
    byte_ = at;
    return false;
  }

  JsonReading take() {
    if (!error_.empty()) result_ = nullptr;  // Text behind a whole value is found late.
    return {std::move(result_), std::move(error_), byte_};
  }

 private:
  /// An object or array that is being filled; `positions` is made once it has many keys.
  struct Level {
    ordered_json value;
    std::string key;
    std::unordered_map<std::string, size_t> positions;
  };

  bool open(ordered_json value) {
    if (levels_.size() >= max_depth_) {
      error_ = format("must be nested at most {} deep", max_depth_);
      return false;
    }
    levels_.push_back({std::move(value), {}, {}});
    return true;
  }

  bool close() {
    ordered_json value = std::move(levels_.back().value);
    levels_.pop_back();
    return add(std::move(value));
  }

  bool add(ordered_json value) {
    if (levels_.empty()) {
      result_ = std::move(value);
      return true;
    }
    Level& level = levels_.back();
    if (level.value.is_array()) {
      level.value.push_back(std::move(value));
      return true;
    }
    auto& members = level.value.get_ref<ordered_json::object_t&>();
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
      members.emplace_back(std::move(level.key), std::move(value));
    } else {
      (members.begin() + static_cast<ptrdiff_t>(it->second))->second = std::move(value);
    }
    return true;
  }

  size_t max_depth_;
  std::vector<Level> levels_;
  ordered_json result_;
  std::string error_;
  size_t byte_ = 0;
};

}  // namespace

JsonReading read_json(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.max_bytes) {
    return {nullptr,
            format("must have at most {} bytes, got {}", limits.max_bytes, text.size()),
            limits.max_bytes + 1};
  }
  Builder builder(limits.max_depth);
  static_cast<void>(ordered_json::sax_parse(text.begin(), text.end(), &builder));
  return builder.take();
}

ordered_json parse_json(std::string_view text,
                        std::string_view where,
                        ErrorCode code,
                        const JsonLimits& limits) {
  JsonReading read = read_json(text, limits);
  VOXLOOM_CHECK(read.error.empty(), code, "{}: {}", where, read.error);
  return std::move(read.value);
}

}  // namespace voxloom
