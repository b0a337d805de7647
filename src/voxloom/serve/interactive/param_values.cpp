#include "voxloom/serve/interactive/param_values.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "voxloom/core/error.h"

namespace voxloom::serve {

const Json* find_param(const Json& params, std::string_view key) {
  const auto found = params.find(std::string(key));
  return found == params.end() || found->is_null() ? nullptr : &*found;
}

std::string shown(const Json& value) {
  // Text that isn't UTF-8 must not make the message itself fail.
  std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
  if (text.size() > 80) text = text.substr(0, 80) + "...";
  return text;
}

void bad_param(std::string_view where, std::string_view rule, const Json& got) {
  throw Error(ErrorCode::kInvalidArgument,
              format("{}: must be {}, got {}", where, rule, shown(got)));
}

int64_t whole_param(const Json& value, std::string_view where) {
  constexpr int64_t kMost = int64_t{1} << 52;
  if (value.is_number_unsigned()) {
    if (value.get<uint64_t>() <= static_cast<uint64_t>(kMost)) return value.get<int64_t>();
  } else if (value.is_number_integer()) {
    const auto number = value.get<int64_t>();
    if (number >= -kMost && number <= kMost) return number;
  } else if (value.is_number_float()) {
    const auto number = value.get<double>();
    if (std::abs(number) <= static_cast<double>(kMost) && std::trunc(number) == number) {
      return static_cast<int64_t>(number);
    }
  }
  bad_param(where, "a whole number", value);
}

std::optional<int64_t> number_param(const Json& params, std::string_view key) {
  const Json* const value = find_param(params, key);
  if (value == nullptr) return std::nullopt;
  return whole_param(*value, key);
}

std::optional<bool> flag_param(const Json& params, std::string_view key) {
  const Json* const value = find_param(params, key);
  if (value == nullptr) return std::nullopt;
  if (value->is_boolean()) return value->get<bool>();
  if (*value == 0) return false;
  if (*value == 1) return true;
  bad_param(key, "true or false", *value);
}

std::optional<std::string> text_param(const Json& params, std::string_view key) {
  const Json* value = find_param(params, key);
  if (value == nullptr) return std::nullopt;
  if (value->is_array() && !value->empty()) value = &(*value)[0];
  if (!value->is_string()) bad_param(key, "text", *value);
  return value->get<std::string>();
}

std::optional<size_t> choice_param(const Json& params,
                                   std::string_view key,
                                   std::initializer_list<std::string_view> choices) {
  const auto text = text_param(params, key);
  if (!text) return std::nullopt;
  const auto* const found = std::find(choices.begin(), choices.end(), *text);
  if (found != choices.end()) return static_cast<size_t>(found - choices.begin());
  std::string rule;
  for (const auto choice : choices) rule += (rule.empty() ? "one of " : ", ") + std::string(choice);
  bad_param(key, rule, *text);
}

}  // namespace voxloom::serve
