#include "voxloom/io/dicomweb_json.h"

#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include <nlohmann/json.hpp>

#include "voxloom/core/error.h"

namespace voxloom::io {
namespace {

constexpr const char* kWhere = "dicom json";

bool is_tag(std::string_view key) {
  if (key.size() != 8) return false;
  for (const char c : key) {
    if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f'))) return false;
  }
  return true;
}

// What an open '{' or '[' stands for.
enum class Level { kList, kObject, kElement, kValues, kName, kUndecided, kSkipped };

// Builds the data sets from the parser's events, so that memory holds the model and not also a
// general tree of the text, and so that depth and number are bounded while reading.
class Reader {
 public:
  explicit Reader(const DicomJsonLimits& limits) : limits_(limits) {}

  std::vector<DicomJsonObject> take() { return std::move(objects_); }

  bool null() { return scalar(std::string()); }
  bool boolean(bool value) { return scalar(value ? "true" : "false"); }
  bool number_integer(int64_t value) { return scalar(std::to_string(value)); }
  bool number_unsigned(uint64_t value) { return scalar(std::to_string(value)); }
  bool number_float(double value, const std::string&) {
    std::array<char, 40> text{};
    const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
    return scalar(std::string(text.data(), end));
  }
  bool string(std::string& value) { return scalar(std::move(value)); }
  bool binary(nlohmann::json::binary_t&) { return false; }

  bool start_object(size_t) {
    if (levels_.empty() || top() == Level::kList) {
      count();
      objects_.emplace_back();
      data_sets_.push_back(&objects_.back());
      return open(Level::kObject);
    }
    switch (top()) {
      case Level::kObject:
        if (element_key_.empty()) return open(Level::kSkipped);
        count();
        elements_.push_back(&data_sets_.back()->elements[element_key_]);
        return open(Level::kElement);
      case Level::kValues:
        return open(Level::kUndecided);
      default:
        return open(Level::kSkipped);
    }
  }

  bool end_object() {
    if (top() == Level::kUndecided) begin_item();
    const Level level = close();
    if (level == Level::kObject) data_sets_.pop_back();
    if (level == Level::kElement) elements_.pop_back();
    if (level == Level::kName) {
      count();
      element().values.push_back(name_.value_or(""));
    }
    return true;
  }

  bool start_array(size_t) {
    if (levels_.empty()) return open(Level::kList);
    if (top() == Level::kElement && key_ == "Value") return open(Level::kValues);
    VOXLOOM_CHECK(top() != Level::kList && top() != Level::kValues,
                  ErrorCode::kDataCorrupt,
                  "{}: a list must hold data sets or values, got a list",
                  kWhere);
    return open(Level::kSkipped);
  }
  bool end_array() {
    close();
    return true;
  }

  bool key(std::string& key) {
    if (top() == Level::kUndecided) {
      if (is_tag(key)) {
        begin_item();
      } else {
        name_.reset();
        levels_.back() = Level::kName;
      }
    }
    if (top() == Level::kObject) {
      element_key_.clear();
      if (is_tag(key)) {
        element_key_ = key;
        for (char& c : element_key_) {
          if (c >= 'a' && c <= 'f') c = static_cast<char>(c - 'a' + 'A');
        }
      }
    }
    key_ = std::move(key);
    return true;
  }

  bool parse_error(size_t position, const std::string&, const nlohmann::json::exception&) {
    throw Error(ErrorCode::kDataCorrupt,
                format("{}: the text must be JSON, byte {} is not", kWhere, position));
  }

 private:
  Level top() const { return levels_.back(); }
  DicomJsonElement& element() { return *elements_.back(); }

  void count() {
    VOXLOOM_CHECK(++counted_ <= limits_.max_elements,
                  ErrorCode::kUnsupported,
                  "{}: the text must hold at most {} elements and values",
                  kWhere,
                  limits_.max_elements);
  }

  bool open(Level level) {
    // Three levels of JSON for one of DICOM: the data set, its element, the values.
    VOXLOOM_CHECK(levels_.size() < 3 * limits_.max_depth + 2,
                  ErrorCode::kUnsupported,
                  "{}: sequences must be nested at most {} deep",
                  kWhere,
                  limits_.max_depth);
    levels_.push_back(level);
    return true;
  }
  Level close() {
    const Level level = levels_.back();
    levels_.pop_back();
    return level;
  }

  // An object among values is an item or a person's name. "vr" may come after "Value" (Orthanc
  // does so), so its first key decides: an item has tags.
  void begin_item() {
    count();
    element().items.emplace_back();
    data_sets_.push_back(&element().items.back());
    levels_.back() = Level::kObject;
  }

  bool scalar(std::string value) {
    VOXLOOM_CHECK(!levels_.empty() && top() != Level::kList,
                  ErrorCode::kDataCorrupt,
                  "{}: the text must hold data sets, got a plain value",
                  kWhere);
    switch (top()) {
      case Level::kElement:
        if (key_ == "vr") element().vr = std::move(value);
        break;
      case Level::kValues:
        count();
        element().values.push_back(std::move(value));
        break;
      case Level::kName:
        if (!name_ || key_ == "Alphabetic") name_ = std::move(value);
        break;
      default:
        break;
    }
    return true;
  }

  const DicomJsonLimits& limits_;
  std::vector<DicomJsonObject> objects_;
  std::vector<Level> levels_;
  // Innermost last. A parent's vector does not grow while one of its items is open.
  std::vector<DicomJsonObject*> data_sets_;
  std::vector<DicomJsonElement*> elements_;
  std::string key_, element_key_;
  std::optional<std::string> name_;
  size_t counted_ = 0;
};

}  // namespace

std::string DicomJsonObject::text(std::string_view tag) const {
  const auto found = elements.find(tag);
  return found == elements.end() || found->second.values.empty() ? std::string()
                                                                 : found->second.values.front();
}

std::optional<int64_t> DicomJsonObject::integer(std::string_view tag) const {
  std::string value = text(tag);
  while (value.ends_with(' ')) value.pop_back();
  const char* begin = value.data();
  while (*begin == ' ' || *begin == '+') ++begin;
  int64_t out = 0;
  const auto [end, error] = std::from_chars(begin, value.data() + value.size(), out);
  if (error != std::errc() || end != value.data() + value.size()) return std::nullopt;
  return out;
}

const std::vector<DicomJsonObject>& DicomJsonObject::items(std::string_view tag) const {
  static const std::vector<DicomJsonObject> kNone;
  const auto found = elements.find(tag);
  return found == elements.end() ? kNone : found->second.items;
}

std::vector<DicomJsonObject> parse_dicom_json(std::string_view text,
                                              const DicomJsonLimits& limits) {
  VOXLOOM_CHECK(text.size() <= limits.max_bytes,
                ErrorCode::kUnsupported,
                "{}: the text must have at most {} bytes, got {}",
                kWhere,
                limits.max_bytes,
                text.size());
  Reader reader(limits);
  const bool read = nlohmann::json::sax_parse(text.begin(), text.end(), &reader);
  VOXLOOM_CHECK(read, ErrorCode::kDataCorrupt, "{}: the text must be JSON", kWhere);
  return reader.take();
}

}  // namespace voxloom::io
