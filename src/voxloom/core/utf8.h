#pragma once

#include <string_view>

namespace voxloom {

/// Whether `text` is UTF-8: no overlong forms, surrogates or values above U+10FFFF.
[[nodiscard]] bool is_utf8(std::string_view text);

}  // namespace voxloom
