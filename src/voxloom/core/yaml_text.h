#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace voxloom {

/// What a YAML text may cost before it is refused.
struct YamlLimits {
  size_t max_bytes = size_t{256} << 10;
  size_t max_values = 10'000;
  size_t max_depth = 16;
};

/// What a plain scalar such as 1e3 or true becomes. kText is for settings, which know themselves
/// what they are: a name 007 must not become 7.
enum class YamlScalars { kTyped, kText };

/// One YAML document as JSON. Plain scalars become null, true, false, integers or numbers where
/// they read so (YAML 1.2 core schema), with kText only null; quoted ones stay text. Anchors,
/// aliases, tags, duplicate and non-text keys and keys above 128 bytes are refused: a settings file
/// needs none of them.
///
/// Throws kDataCorrupt naming `where` and the line, kUnsupported beyond `limits`.
[[nodiscard]] nlohmann::ordered_json parse_yaml(std::string_view text,
                                                const std::string& where,
                                                const YamlLimits& limits = {},
                                                YamlScalars scalars = YamlScalars::kTyped);

/// Block style, keys in order, arrays of plain values on one line; parse_yaml() gives the same
/// value back. Throws kInvalidArgument for numbers that are not finite and text that is not UTF-8.
[[nodiscard]] std::string to_yaml(const nlohmann::ordered_json& value);

}  // namespace voxloom
