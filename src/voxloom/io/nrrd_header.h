#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "voxloom/image/volume.h"

namespace voxloom::io {

/// The fields of an NRRD header as text, by lower-case name with synonyms merged.
struct NrrdHeader {
  std::map<std::string, std::string> fields;      ///< "field: value" lines
  std::map<std::string, std::string> key_values;  ///< "key:=value" lines
  std::vector<std::string> listed_files;          ///< After "data file: LIST".
  size_t length = 0;                              ///< Bytes up to the voxels of an attached file.
};

inline constexpr size_t kMaxNrrdHeaderBytes = size_t{16} << 20;

/// Throws kDataCorrupt naming the file and the line.
[[nodiscard]] NrrdHeader parse_nrrd_header(std::string_view text, std::string_view file);

/// What an axis list means: geometry of the one volume inside.
[[nodiscard]] image::Geometry nrrd_geometry(const NrrdHeader& header, std::string_view file);

[[nodiscard]] image::PixelType nrrd_pixel_type(const NrrdHeader& header, std::string_view file);

/// The field's text, or kDataCorrupt "must have field 'sizes'".
[[nodiscard]] const std::string& required_field(const NrrdHeader& header,
                                                const std::string& name,
                                                std::string_view file);

}  // namespace voxloom::io
