#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace voxloom::jobs {

/// Cuts a command into its words as a shell would: blanks separate, '...' keeps everything, "..."
/// keeps everything but backslash before " and backslash, a backslash elsewhere keeps the next
/// character. Nothing is expanded. Throws kInvalidArgument for a quote that is not closed.
[[nodiscard]] std::vector<std::string> split_words(std::string_view text);

using Replacements = std::vector<std::pair<std::string, std::string>>;

/// Puts the values in for "{name}" within every word; a value is never cut into words or read
/// again. Throws kInvalidArgument for a "{word}" of lower-case letters that has no value.
[[nodiscard]] std::vector<std::string> substitute(std::span<const std::string> words,
                                                  const Replacements& values);

}  // namespace voxloom::jobs
