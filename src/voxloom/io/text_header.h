#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "voxloom/image/volume.h"
#include "voxloom/io/byte_source.h"

namespace voxloom::io {

// What the readers of text headers (NRRD, MetaImage) share.

[[nodiscard]] std::string_view trimmed(std::string_view text);
[[nodiscard]] std::string lower_case(std::string_view text);
/// Words between blanks.
[[nodiscard]] std::vector<std::string_view> split_words(std::string_view text);

/// "'a.nrrd': field 'sizes'" as the start of a message.
struct FieldName {
  std::string_view file;
  std::string_view field;
  [[nodiscard]] std::string text() const;
};

/// A whole number within [lo, hi]. Throws kDataCorrupt naming file and field.
[[nodiscard]] int64_t parse_integer(std::string_view text,
                                    const FieldName& where,
                                    int64_t lo,
                                    int64_t hi);
/// A number; "nan" is allowed, infinity is not.
[[nodiscard]] double parse_number(std::string_view text, const FieldName& where);
/// Exactly `count` finite numbers.
[[nodiscard]] std::vector<double> parse_numbers(std::string_view text,
                                                const FieldName& where,
                                                size_t count);

/// The path of a data file that a header names. A header may come from anywhere, so it can only
/// name files in its own folder or below: throws kUnsupported for absolute names and "..".
[[nodiscard]] std::filesystem::path data_file_beside(const std::filesystem::path& header,
                                                     std::string_view name);

/// Files of a printf pattern ("slice%03d.raw", one integer conversion) for first, first + step,
/// ... last. Throws kDataCorrupt for another pattern or more than 100,000 files.
[[nodiscard]] std::vector<std::filesystem::path> files_of_pattern(
    const std::filesystem::path& header,
    std::string_view pattern,
    int64_t first,
    int64_t last,
    int64_t step);

/// The text of `bytes` from its start, at most `max_bytes`, read in blocks until `done(text)`.
template <class Done>
std::string read_header_text(ByteSource& bytes, size_t max_bytes, Done&& done) {
  std::string text;
  while (text.size() < max_bytes) {
    // Blocks that grow: `done` may look at the whole text each time.
    const size_t before = text.size(), block = std::max(before, size_t{16} << 10);
    text.resize(before + block);
    const size_t got = bytes.read_some(static_cast<int64_t>(before),
                                       std::as_writable_bytes(std::span(text)).subspan(before));
    text.resize(before + got);
    if (got < block || done(text)) break;
  }
  return text;
}

}  // namespace voxloom::io
