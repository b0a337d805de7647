#include "voxloom/core/yaml_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <sstream>
#include <vector>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include "voxloom/core/error.h"
#include "voxloom/core/utf8.h"

namespace voxloom {
namespace {

using nlohmann::ordered_json;

/// YAML wants the ':' of a key within 1024 characters; escapes take up to six each.
constexpr size_t kMaxKey = 128;

/// A plain scalar that reads as a number; null when it doesn't.
ordered_json number_of(const std::string& text) {
  const char* begin = text.data();
  const char* end = begin + text.size();
  const size_t sign = text[0] == '-' || text[0] == '+' ? 1 : 0;
  if (sign == text.size()) return nullptr;
  const bool digits = std::all_of(begin + sign, end, [](char c) { return c >= '0' && c <= '9'; });
  if (digits) {
    int64_t value = 0;
    const char* from = text[0] == '+' ? begin + 1 : begin;
    const auto [stop, error] = std::from_chars(from, end, value);
    return error == std::errc() && stop == end ? ordered_json(value) : ordered_json(nullptr);
  }
  const bool floating = std::all_of(begin, end, [](char c) {
    return (c >= '0' && c <= '9') || c == '.' || c == 'e' || c == 'E' || c == '-' || c == '+';
  });
  if (!floating) return nullptr;
  double value = 0;
  const char* from = text[0] == '+' ? begin + 1 : begin;
  const auto [stop, error] = std::from_chars(from, end, value);
  if (error != std::errc() || stop != end || !std::isfinite(value)) return nullptr;
  return value;
}

ordered_json plain_scalar(const std::string& text) {
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  if (!text.empty()) {
    ordered_json number = number_of(text);
    if (!number.is_null()) return number;
  }
  return text;
}

class Builder : public YAML::EventHandler {
 public:
  Builder(const std::string& where, const YamlLimits& limits, YamlScalars scalars)
      : where_(where), limits_(limits), scalars_(scalars) {}

  ordered_json result = nullptr;

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    no_anchor(mark, anchor);
    put(mark, nullptr);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { no_anchor(mark, 1); }
  void OnScalar(const YAML::Mark& mark,
                const std::string& tag,
                YAML::anchor_t anchor,
                const std::string& value) override {
    no_anchor(mark, anchor);
    if (tag != "?" && tag != "!" && !tag.empty()) fail(mark, "must have no tags");
    if (!is_utf8(value)) fail(mark, "must be UTF-8");
    if (expects_key()) {
      if (value.size() > kMaxKey) fail(mark, format("must have keys of at most {} bytes", kMaxKey));
      if (frames_.back().value.contains(value)) fail(mark, "has the key '" + value + "' twice");
      frames_.back().key = value;
      frames_.back().has_key = true;
      count(mark);
      return;
    }
    const bool text = tag == "!" || scalars_ == YamlScalars::kText;
    put(mark, text ? ordered_json(value) : plain_scalar(value));
  }
  void OnSequenceStart(const YAML::Mark& mark,
                       const std::string& tag,
                       YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, ordered_json::array());
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark,
                  const std::string& tag,
                  YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, ordered_json::object());
  }
  void OnMapEnd() override { close(); }

 private:
  struct Frame {
    ordered_json value;
    std::string key;
    bool has_key = false;
  };

  [[noreturn]] void fail(const YAML::Mark& mark, const std::string& what) const {
    throw Error(ErrorCode::kDataCorrupt, format("{}: line {} {}", where_, mark.line + 1, what));
  }
  void no_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) const {
    if (anchor != 0) fail(mark, "must have no anchors or aliases");
  }
  void count(const YAML::Mark& mark) {
    VOXLOOM_CHECK(++values_ <= limits_.max_values,
                  ErrorCode::kUnsupported,
                  "{}: must hold at most {} values, got more at line {}",
                  where_,
                  limits_.max_values,
                  mark.line + 1);
  }
  [[nodiscard]] bool expects_key() const {
    return !frames_.empty() && frames_.back().value.is_object() && !frames_.back().has_key;
  }
  void put(const YAML::Mark& mark, ordered_json value) {
    if (expects_key()) fail(mark, "must have text as a key");
    count(mark);
    attach(std::move(value));
  }
  void attach(ordered_json value) {
    if (frames_.empty()) {
      result = std::move(value);
    } else if (Frame& frame = frames_.back(); frame.value.is_array()) {
      frame.value.push_back(std::move(value));
    } else {
      frame.value[frame.key] = std::move(value);
      frame.has_key = false;
    }
  }
  void open(const YAML::Mark& mark,
            const std::string& tag,
            YAML::anchor_t anchor,
            ordered_json container) {
    no_anchor(mark, anchor);
    if (tag != "?" && !tag.empty()) fail(mark, "must have no tags");
    if (expects_key()) fail(mark, "must have text as a key");
    count(mark);
    VOXLOOM_CHECK(frames_.size() < limits_.max_depth,
                  ErrorCode::kUnsupported,
                  "{}: must nest at most {} deep, got more at line {}",
                  where_,
                  limits_.max_depth,
                  mark.line + 1);
    frames_.push_back({std::move(container), {}, false});
  }
  void close() {
    ordered_json value = std::move(frames_.back().value);
    frames_.pop_back();
    attach(std::move(value));
  }

  const std::string& where_;
  YamlLimits limits_;
  YamlScalars scalars_;
  std::vector<Frame> frames_;
  size_t values_ = 0;
};

/// Text that reads back as itself without quotes.
bool is_plain(const std::string& text) {
  const auto safe = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-' || c == '+' || c == '/';
  };
  const bool letter =
      !text.empty() && ((text[0] >= 'a' && text[0] <= 'z') || (text[0] >= 'A' && text[0] <= 'Z'));
  if (!letter || !std::all_of(text.begin(), text.end(), safe)) return false;
  std::string lower = text;
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  for (const char* word : {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}) {
    if (lower == word) return false;
  }
  return true;
}

std::string quoted(const std::string& text) {
  if (is_plain(text)) return text;
  // JSON's escapes are YAML's; DEL and the C1 controls have to be escaped too.
  const std::string json = ordered_json(text).dump();
  std::string out;
  for (size_t i = 0; i < json.size(); ++i) {
    const auto c = static_cast<uint8_t>(json[i]);
    if (c == 0x7f) {
      out += "\\x7f";
    } else if (c == 0xc2 && i + 1 < json.size() && static_cast<uint8_t>(json[i + 1]) < 0xa0) {
      out += format("\\x{:02x}", static_cast<unsigned>(static_cast<uint8_t>(json[++i])));
    } else {
      out += json[i];
    }
  }
  return out;
}

std::string scalar_text(const ordered_json& value) {
  if (value.is_string()) return quoted(value.get_ref<const std::string&>());
  VOXLOOM_CHECK(!value.is_number_float() || std::isfinite(value.get<double>()),
                ErrorCode::kInvalidArgument,
                "yaml: numbers must be finite");
  return value.dump();
}

bool is_flat(const ordered_json& value) {
  return value.is_array() && std::none_of(value.begin(), value.end(), [](const auto& item) {
           return item.is_structured();
         });
}

std::string flow_text(const ordered_json& array) {
  std::string text = "[";
  for (const auto& item : array) text += (text.size() > 1 ? ", " : "") + scalar_text(item);
  return text + "]";
}

void emit(const ordered_json& value, size_t indent, std::string& out) {
  const std::string pad(indent, ' ');
  const auto emit_value = [&](const ordered_json& item) {
    if (item.is_structured() && item.empty()) {
      out += item.is_object() ? " {}\n" : " []\n";
    } else if (is_flat(item)) {
      out += " " + flow_text(item) + "\n";
    } else if (item.is_structured()) {
      out += "\n";
      emit(item, indent + 2, out);
    } else {
      out += " " + scalar_text(item) + "\n";
    }
  };
  if (value.is_object()) {
    for (const auto& [key, item] : value.items()) {
      VOXLOOM_CHECK(key.size() <= kMaxKey,
                    ErrorCode::kInvalidArgument,
                    "yaml: keys must have at most {} bytes, got {}",
                    kMaxKey,
                    key.size());
      out += pad + quoted(key) + ":";
      emit_value(item);
    }
  } else {
    for (const auto& item : value) {
      const size_t start = out.size();
      if (item.is_structured() && !item.empty() && !is_flat(item)) {
        emit(item, indent + 2, out);  // its first line carries the dash
        out[start + indent] = '-';
      } else {
        out += pad + "-";
        emit_value(item);
      }
    }
  }
}

}  // namespace

ordered_json parse_yaml(std::string_view text,
                        const std::string& where,
                        const YamlLimits& limits,
                        YamlScalars scalars) {
  VOXLOOM_CHECK(text.size() <= limits.max_bytes,
                ErrorCode::kUnsupported,
                "{}: must hold at most {} bytes, got {}",
                where,
                limits.max_bytes,
                text.size());
  VOXLOOM_CHECK(is_utf8(text) && text.find('\0') == text.npos,
                ErrorCode::kDataCorrupt,
                "{}: must be UTF-8 text",
                where);
  std::istringstream in{std::string(text)};
  try {
    Builder builder(where, limits, scalars);
    YAML::Parser parser(in);
    VOXLOOM_CHECK(parser.HandleNextDocument(builder),
                  ErrorCode::kDataCorrupt,
                  "{}: must hold a YAML document",
                  where);
    Builder second(where, limits, scalars);
    VOXLOOM_CHECK(!parser.HandleNextDocument(second),
                  ErrorCode::kDataCorrupt,
                  "{}: must hold one YAML document, got several",
                  where);
    return std::move(builder.result);
  } catch (const YAML::Exception& e) {
    throw Error(ErrorCode::kDataCorrupt, format("{}: line {}: {}", where, e.mark.line + 1, e.msg));
  }
}

std::string to_yaml(const ordered_json& value) {
  std::string out;
  try {
    if (value.is_structured() && !value.empty() && !is_flat(value)) {
      emit(value, 0, out);
    } else if (is_flat(value)) {
      out = flow_text(value) + "\n";
    } else {
      out = value.is_object() ? "{}\n" : scalar_text(value) + "\n";
    }
  } catch (const nlohmann::json::exception&) {
    throw Error(ErrorCode::kInvalidArgument, "yaml: text must be UTF-8");
  }
  return out;
}

}  // namespace voxloom
