#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "voxloom/serve/http/message.h"

namespace voxloom::serve::http {

/// What '+' means: itself in a path, a space in a query or a form.
enum class Plus { kLiteral, kSpace };

/// Replaces %XX by its byte. A '%' without two hex digits behind it stays as it is.
/// Nothing: the text holds a NUL, written out or escaped.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text, Plus plus);

/// Escapes every byte that is no letter, digit or one of "_.-~" and `keep`.
[[nodiscard]] std::string percent_encode(std::string_view text, std::string_view keep = "");

/// A request target in its two parts.
struct Target {
  std::string path;   ///< Decoded, begins with '/'.
  std::string query;  ///< As sent, without '?'.
};
/// Splits "/a%20b?c=d" or "http://host/a%20b?c=d". Throws HttpError 400 for other forms and NULs.
[[nodiscard]] Target split_target(std::string_view target);

struct FieldLimits {
  size_t max_fields = 1000;
  uint64_t max_field_bytes = uint64_t{1} << 20;
};
/// The fields of a query or of an application/x-www-form-urlencoded body, in order.
/// Throws HttpError 400 for too many fields, a field that is too long, and NULs.
[[nodiscard]] Fields parse_urlencoded(std::string_view text, const FieldLimits& limits = {});

/// The words for too many fields, the same for every kind of form.
[[nodiscard]] HttpError too_many_fields(size_t limit);

}  // namespace voxloom::serve::http
