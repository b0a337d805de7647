#include "voxloom/io/nrrd.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "voxloom/core/error.h"
#include "voxloom/io/byte_source.h"
#include "voxloom/io/inflate_source.h"
#include "voxloom/io/nrrd_header.h"
#include "voxloom/io/text_header.h"
#include "voxloom/io/voxel_source.h"

namespace voxloom::io {
namespace {

using image::PixelType;

std::string read_header(ByteSource& bytes) {
  return read_header_text(bytes, kMaxNrrdHeaderBytes, [](const std::string& text) {
    return text.find("\n\n") != std::string::npos || text.find("\n\r\n") != std::string::npos;
  });
}

/// The position after `lines` line ends from `start` on.
int64_t skip_lines(ByteSource& bytes, int64_t start, int64_t lines) {
  char block[4096];
  int64_t at = start;
  while (lines > 0) {
    const size_t got = bytes.read_some(at, std::as_writable_bytes(std::span(block)));
    VOXLOOM_CHECK(got > 0,
                  ErrorCode::kDataCorrupt,
                  "'{}': field 'line skip' goes past the end of the file",
                  bytes.name());
    size_t used = 0;
    while (used < got && lines > 0) lines -= block[used++] == '\n';
    at += static_cast<int64_t>(used);
  }
  return at;
}

enum class Encoding { kRaw, kGzip, kText };

Encoding encoding_of(const NrrdHeader& header, std::string_view file) {
  const std::string name = lower_case(trimmed(required_field(header, "encoding", file)));
  if (name == "raw") return Encoding::kRaw;
  if (name == "gzip" || name == "gz") return Encoding::kGzip;
  if (name == "txt" || name == "text" || name == "ascii") return Encoding::kText;
  throw Error(ErrorCode::kUnsupported,
              format("'{}': field 'encoding' must be raw, gzip or text, got '{}'", file, name));
}

bool is_big_endian(const NrrdHeader& header,
                   PixelType type,
                   Encoding encoding,
                   std::string_view file) {
  if (image::bytes_per_voxel(type) == 1 || encoding == Encoding::kText) return false;
  const std::string name = lower_case(trimmed(required_field(header, "endian", file)));
  VOXLOOM_CHECK(name == "little" || name == "big",
                ErrorCode::kDataCorrupt,
                "'{}': field 'endian' must be little or big, got '{}'",
                file,
                name);
  return name == "big";
}

int64_t optional_integer(const NrrdHeader& header,
                         const std::string& field,
                         int64_t lo,
                         std::string_view file) {
  const auto it = header.fields.find(field);
  if (it == header.fields.end()) return 0;
  return parse_integer(trimmed(it->second), {file, field}, lo, int64_t{1} << 40);
}

/// Files of a detached header: one, a list, or "pattern first last step".
std::vector<std::filesystem::path> data_files(const NrrdHeader& header,
                                              const std::filesystem::path& path) {
  const std::string file = path.string();
  const std::string& value = header.fields.at("data file");
  if (lower_case(value).starts_with("list")) {
    VOXLOOM_CHECK(!header.listed_files.empty(),
                  ErrorCode::kDataCorrupt,
                  "'{}': field 'data file' is LIST but no file follows",
                  file);
    std::vector<std::filesystem::path> out;
    for (const auto& name : header.listed_files) out.push_back(data_file_beside(path, name));
    return out;
  }
  if (value.find('%') != std::string::npos) {
    const auto words = split_words(value);
    VOXLOOM_CHECK(words.size() == 4 || words.size() == 5,
                  ErrorCode::kDataCorrupt,
                  "'{}': field 'data file' must be 'pattern first last step', got '{}'",
                  file,
                  value);
    const auto number = [&](size_t i) {
      return parse_integer(words[i], {file, "data file"}, -(int64_t{1} << 31), int64_t{1} << 31);
    };
    return files_of_pattern(path, words[0], number(1), number(2), number(3));
  }
  return {data_file_beside(path, value)};
}

/// Where the voxels of one file begin, and the bytes from there on.
std::unique_ptr<ByteSource> data_bytes(std::unique_ptr<ByteSource> source,
                                       const NrrdHeader& header,
                                       int64_t start,
                                       Encoding encoding,
                                       int64_t needed,
                                       std::string_view file) {
  const int64_t lines = optional_integer(header, "line skip", 0, file);
  const int64_t skip = optional_integer(header, "byte skip", -1, file);
  start = skip_lines(*source, start, lines);
  if (encoding == Encoding::kGzip) {
    VOXLOOM_CHECK(skip >= 0,
                  ErrorCode::kDataCorrupt,
                  "'{}': field 'byte skip' can be -1 only with encoding raw",
                  file);
    // Bytes are skipped in the expanded data.
    return section_bytes(inflated_bytes(std::move(source), start), skip, needed);
  }
  if (skip == -1) {
    VOXLOOM_CHECK(encoding == Encoding::kRaw && source->size_limit() - needed >= start,
                  ErrorCode::kDataCorrupt,
                  "'{}': voxel data is cut off: must have {} bytes at the end of the file, got {}",
                  file,
                  needed,
                  source->size_limit() - start);
    start = source->size_limit() - needed;
  } else {
    start += skip;
  }
  return section_bytes(
      std::move(source), start, encoding == Encoding::kText ? INT64_MAX / 2 : needed);
}

}  // namespace

std::unique_ptr<image::VolumeSource> open_nrrd(const std::filesystem::path& path) {
  const std::string file = path.string();
  auto bytes = open_file_bytes(path);
  const NrrdHeader header = parse_nrrd_header(read_header(*bytes), file);
  VoxelLayout layout;
  layout.stored = nrrd_pixel_type(header, file);
  layout.type = layout.stored;
  layout.geometry = nrrd_geometry(header, file);
  const Encoding encoding = encoding_of(header, file);
  layout.swap_bytes = is_big_endian(header, layout.stored, encoding, file);
  const int64_t needed =
      layout.geometry.voxel_count() * static_cast<int64_t>(image::bytes_per_voxel(layout.stored));
  if (!header.fields.contains("data file")) {
    bytes = data_bytes(
        std::move(bytes), header, static_cast<int64_t>(header.length), encoding, needed, file);
  } else {
    const auto files = data_files(header, path);
    if (files.size() == 1) {
      bytes = data_bytes(open_file_bytes(files[0]), header, 0, encoding, needed, file);
    } else {
      const auto parts = static_cast<int64_t>(files.size());
      const int64_t skip = optional_integer(header, "byte skip", -1, file);
      VOXLOOM_CHECK(encoding == Encoding::kRaw && skip >= 0 && !header.fields.contains("line skip"),
                    ErrorCode::kUnsupported,
                    "'{}': several data files must have encoding raw, a byte skip of 0 or more and "
                    "no line skip",
                    file);
      VOXLOOM_CHECK(needed % parts == 0,
                    ErrorCode::kDataCorrupt,
                    "'{}': {} bytes of voxels must divide evenly among {} data files",
                    file,
                    needed,
                    parts);
      bytes = concatenated_files(files, skip, needed / parts);
    }
  }
  return encoding == Encoding::kText ? make_text_voxel_source(layout, std::move(bytes))
                                     : make_voxel_source(layout, std::move(bytes));
}

std::vector<image::Label> read_nrrd_labels(const std::filesystem::path& path) {
  const std::string file = path.string();
  const NrrdHeader header = parse_nrrd_header(read_header(*open_file_bytes(path)), file);
  std::vector<image::Label> labels;
  constexpr int kMaxSegments = 65535;
  for (int i = 0; i < kMaxSegments; ++i) {
    const std::string segment = "Segment" + std::to_string(i) + "_";
    const auto value = header.key_values.find(segment + "LabelValue");
    const auto name = header.key_values.find(segment + "Name");
    if (value == header.key_values.end() && name == header.key_values.end()) break;
    if (value == header.key_values.end()) continue;  // an older layout: one layer a segment
    image::Label label;
    label.value = static_cast<uint16_t>(
        parse_integer(trimmed(value->second), {file, value->first}, 0, 65535));
    if (name != header.key_values.end()) label.name = name->second;
    labels.push_back(std::move(label));
  }
  return labels;
}

}  // namespace voxloom::io
