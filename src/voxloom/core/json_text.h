#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "voxloom/core/error.h"

namespace voxloom {

/// What JSON from outside may cost. Deep nesting is refused because a JSON value is copied and
/// printed by recursion.
struct JsonLimits {
  size_t max_bytes = size_t{256} << 20;
  size_t max_depth = 64;
};

struct JsonReading {
  nlohmann::ordered_json value;  ///< null where there is an error.
  std::string error;             ///< "must be valid JSON, got an error at byte N"; empty: none.
  size_t byte = 0;               ///< Of the error, from 1; 0 where none can be named.
};

/// Reads one JSON value; keys keep their order, of equal keys the last one counts. Takes time in
/// proportion to the text, which the library's own reader does not for objects of many keys that
/// keep their order. Throws nothing but std::bad_alloc.
[[nodiscard]] JsonReading read_json(std::string_view text, const JsonLimits& limits = {});

/// The value. Throws `code` naming `where` and the place.
[[nodiscard]] nlohmann::ordered_json parse_json(std::string_view text,
                                                std::string_view where,
                                                ErrorCode code = ErrorCode::kDataCorrupt,
                                                const JsonLimits& limits = {});

}  // namespace voxloom
