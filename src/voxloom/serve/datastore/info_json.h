#pragma once

#include <string>
#include <string_view>

#include "voxloom/serve/datastore/datastore.h"

namespace voxloom::serve {

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

}  // namespace voxloom::serve
