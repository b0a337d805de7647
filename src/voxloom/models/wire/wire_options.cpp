#include "voxloom/models/wire/wire_options.h"

#include <charconv>

#include "voxloom/core/error.h"

namespace voxloom::models::wire {

namespace {

constexpr size_t kMaxItems = 16;
constexpr int kLargest = 65536;

template <class Number>
std::vector<Number> parse_list(const std::string& name, const std::string& text, const char* what) {
  std::vector<Number> values;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (true) {
    Number value{};
    const auto [next, error] = std::from_chars(at, end, value);
    VOXLOOM_CHECK(error == std::errc() && (next == end || *next == ',') &&
                      values.size() < kMaxItems && value >= 0 && value <= kLargest,
                  ErrorCode::kInvalidArgument,
                  "{}: must be up to {} {} with commas between them, got '{}'",
                  name,
                  kMaxItems,
                  what,
                  text);
    values.push_back(value);
    if (next == end) return values;
    at = next + 1;
  }
}

template <class Number>
std::string list_text(const std::vector<Number>& values) {
  std::string text;
  for (const Number value : values) {
    text += (text.empty() ? "" : ",") + nlohmann::json(value).dump();
  }
  return text;
}

template <class Number>
void add(OptionList& list,
         const std::string& name,
         std::vector<Number>& field,
         const std::string& help,
         const char* what) {
  list.custom(
          name,
          [&field, name, what](const std::string& text) {
            field = parse_list<Number>(name, text, what);
          },
          [&field] { return list_text(field); },
          help)
      .with_value_name("N,N,...");
}

}  // namespace

void list_option(OptionList& list,
                 const std::string& name,
                 std::vector<int64_t>& field,
                 const std::string& help) {
  add(list, name, field, help, "whole numbers");
}

void list_option(OptionList& list,
                 const std::string& name,
                 std::vector<double>& field,
                 const std::string& help) {
  add(list, name, field, help, "numbers");
}

}  // namespace voxloom::models::wire
