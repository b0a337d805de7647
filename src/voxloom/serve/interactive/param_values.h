#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "voxloom/serve/interactive/infer_service.h"

namespace voxloom::serve {

/// The value of `key`, or null where it is absent or null. `params` must be an object.
[[nodiscard]] const Json* find_param(const Json& params, std::string_view key);

/// A value for a message: ASCII, at most 80 characters and "...".
[[nodiscard]] std::string shown(const Json& value);

/// Throws kInvalidArgument "<where>: must be <rule>, got <value>".
[[noreturn]] void bad_param(std::string_view where, std::string_view rule, const Json& got);

/// A whole number; 3.0 is one. Throws kInvalidArgument.
[[nodiscard]] int64_t whole_param(const Json& value, std::string_view where);

// Values of one key; absent: nothing. All throw kInvalidArgument for another kind of value. Lists
// of texts stand for their first one, as in the `config` that clients send back.
[[nodiscard]] std::optional<int64_t> number_param(const Json& params, std::string_view key);
[[nodiscard]] std::optional<bool> flag_param(const Json& params, std::string_view key);
[[nodiscard]] std::optional<std::string> text_param(const Json& params, std::string_view key);

/// The place of the key's text in `choices`.
[[nodiscard]] std::optional<size_t> choice_param(const Json& params,
                                                 std::string_view key,
                                                 std::initializer_list<std::string_view> choices);

}  // namespace voxloom::serve
