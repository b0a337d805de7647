#include "voxloom/serve/http/json_text.h"

#include <unordered_map>
#include <utility>
#include <vector>

namespace voxloom::serve::http {
namespace {

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
    error_ = voxloom::format("must be valid JSON, got an error at byte {}", at);
    byte_ = at;
    return false;
  }

  JsonReading take() { return {std::move(result_), std::move(error_), byte_}; }

 private:
  /// An object or array that is being filled; `positions` is made once it has many keys.
  struct Level {
    Json value;
    std::string key;
    std::unordered_map<std::string, size_t> positions;
  };

  bool open(Json value) {
    if (levels_.size() >= max_depth_) {
      error_ = voxloom::format("must be nested at most {} deep", max_depth_);
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
      members.emplace_back(std::move(level.key), std::move(value));
    } else {
      (members.begin() + static_cast<ptrdiff_t>(it->second))->second = std::move(value);
    }
    return true;
  }

  size_t max_depth_;
  std::vector<Level> levels_;
  Json result_;
  std::string error_;
  size_t byte_ = 0;
};

std::string scalar(const Json& value) {
  return value.dump(-1, ' ', true, Json::error_handler_t::replace);
}

void write(const Json& value, std::string& out) {
  if (value.is_object()) {
    out += '{';
    bool first = true;
    for (const auto& [key, item] : value.items()) {
      if (!first) out += ", ";
      first = false;
      out += scalar(Json(key));
      out += ": ";
      write(item, out);
    }
    out += '}';
  } else if (value.is_array()) {
    out += '[';
    bool first = true;
    for (const Json& item : value) {
      if (!first) out += ", ";
      first = false;
      write(item, out);
    }
    out += ']';
  } else {
    out += scalar(value);
  }
}

}  // namespace

JsonReading read_json(std::string_view text, size_t max_depth) {
  Builder builder(max_depth);
  static_cast<void>(Json::sax_parse(text.begin(), text.end(), &builder));
  return builder.take();
}

Json parse_json(std::string_view text, std::string_view where) {
  JsonReading read = read_json(text);
  VOXLOOM_CHECK(read.error.empty(), ErrorCode::kInvalidArgument, "{}: {}", where, read.error);
  return std::move(read.value);
}

std::string python_json(const Json& value) {
  std::string out;
  write(value, out);
  return out;
}

}  // namespace voxloom::serve::http
