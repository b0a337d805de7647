#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "voxloom/serve/datastore/datastore.h"

namespace voxloom::serve {

/// What JSON from outside may cost. Deep nesting is refused because a JSON value is copied and
/// printed by recursion.
struct JsonLimits {
  size_t max_bytes = size_t{256} << 20;
  size_t max_depth = 64;
};

/// Parses one JSON value; keys keep their order, of equal keys the last one counts. Linear in the
/// size of the text, which the library's own reader is not for ordered objects of many keys.
/// Throws kDataCorrupt naming `where`.
[[nodiscard]] Json parse_json(std::string_view text,
                              std::string_view where,
                              const JsonLimits& limits = {});

/// Throws kInvalidArgument unless `info` is an object (or null) that can be stored: at most 4 MiB
/// of UTF-8 text, 48 levels deep. `what` names it.
void check_info(const Json& info, std::string_view what);

/// `extra`'s keys over those of `info`, one level deep.
void merge_info(Json& info, const Json& extra);

/// One line, no spaces; bytes that are no UTF-8 are replaced.
[[nodiscard]] std::string to_line(const Json& value);

/// Appends a key that is known to be new: in constant time, unlike operator[].
void append_key(Json& object, std::string key, Json value);

/// A text member, or `otherwise`.
[[nodiscard]] std::string text_member(const Json& object,
                                      const char* key,
                                      const std::string& otherwise = {});

[[nodiscard]] bool is_utf8(std::string_view text);

}  // namespace voxloom::serve
