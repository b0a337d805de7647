#include "voxloom/io/metaimage.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>
#include <vector>

#include "voxloom/core/error.h"
#include "voxloom/io/affine.h"
#include "voxloom/io/byte_source.h"
#include "voxloom/io/inflate_source.h"
#include "voxloom/io/text_header.h"
#include "voxloom/io/voxel_source.h"

namespace voxloom::io {
namespace {

using image::Geometry;
using image::PixelType;
using image::Vec3;

constexpr size_t kMaxHeaderBytes = size_t{16} << 20;
constexpr std::string_view kLastKey = "elementdatafile";

struct MetaHeader {
  std::map<std::string, std::string> fields;  ///< Keys in lower case.
  std::vector<std::string> listed_files;      ///< Lines after ElementDataFile = LIST.
  size_t length = 0;                          ///< Bytes up to the voxels of a LOCAL file.
};

/// True once `text` holds the whole header: the ElementDataFile line, and for LIST everything.
bool header_complete(const std::string& text) {
  size_t begin = 0;
  for (;;) {
    const size_t end = text.find('\n', begin);
    if (end == std::string::npos) return false;
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    const size_t equals = line.find('=');
    if (equals != std::string_view::npos &&
        lower_case(trimmed(line.substr(0, equals))) == kLastKey) {
      return !lower_case(trimmed(line.substr(equals + 1))).starts_with("list");
    }
    begin = end + 1;
  }
}

MetaHeader parse(std::string_view text, std::string_view file) {
  MetaHeader header;
  size_t begin = 0;
  while (begin < text.size()) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = text.substr(begin, end - begin);
    begin = std::min(end + 1, text.size());
    if (trimmed(line).empty()) continue;
    const size_t equals = line.find('=');
    VOXLOOM_CHECK(equals != std::string_view::npos,
                  ErrorCode::kDataCorrupt,
                  "'{}': MetaImage header line must be 'Key = value', got '{}'",
                  file,
                  line.substr(0, 80));
    const std::string key = lower_case(trimmed(line.substr(0, equals)));
    header.fields[key] = std::string(trimmed(line.substr(equals + 1)));
    if (key != kLastKey) continue;
    header.length = begin;
    if (lower_case(header.fields[key]).starts_with("list")) {
      for (std::string_view rest = text.substr(begin); !rest.empty();) {
        const size_t stop = std::min(rest.find('\n'), rest.size());
        const auto name = trimmed(rest.substr(0, stop));
        if (!name.empty()) header.listed_files.emplace_back(name);
        rest.remove_prefix(std::min(stop + 1, rest.size()));
      }
    }
    return header;
  }
  throw Error(ErrorCode::kDataCorrupt,
              format("'{}': MetaImage header must have field 'ElementDataFile'", file));
}

/// One opened header with typed access to its fields.
class MetaReader {
 public:
  explicit MetaReader(const std::filesystem::path& path)
      : path_(path), file_(path.string()), bytes_(open_file_bytes(path)) {
    const std::string text = read_header_text(*bytes_, kMaxHeaderBytes, header_complete);
    header_ = parse(text, file_);
  }

  std::unique_ptr<image::VolumeSource> open() {
    read_size();
    VoxelLayout layout;
    layout.geometry = geometry();
    layout.stored = layout.type = pixel_type();
    const bool text = !flag({"binarydata"}, true);
    layout.swap_bytes = flag({"elementbyteordermsb", "binarydatabyteordermsb"}, false);
    const int64_t needed =
        layout.geometry.voxel_count() * static_cast<int64_t>(image::bytes_per_voxel(layout.stored));
    const bool compressed = flag({"compresseddata"}, false);
    const int64_t skip = integer("headersize", 0, -1, int64_t{1} << 40);
    auto data = data_bytes(needed, skip, compressed, text);
    return text ? make_text_voxel_source(layout, std::move(data))
                : make_voxel_source(layout, std::move(data));
  }

 private:
  const std::string* find(std::initializer_list<std::string_view> keys) const {
    for (const auto key : keys) {
      const auto it = header_.fields.find(std::string(key));
      if (it != header_.fields.end()) return &it->second;
    }
    return nullptr;
  }
  bool flag(std::initializer_list<std::string_view> keys, bool fallback) const {
    const std::string* value = find(keys);
    if (value == nullptr || value->empty()) return fallback;
    const char c = lower_case(*value)[0];
    return c == 't' || c == 'y' || c == '1';
  }
  int64_t integer(std::string_view key, int64_t fallback, int64_t lo, int64_t hi) const {
    const std::string* value = find({key});
    return value == nullptr ? fallback : parse_integer(*value, {file_, key}, lo, hi);
  }

  void read_size() {
    dimension_ = static_cast<size_t>(integer("ndims", 0, 1, 10));
    VOXLOOM_CHECK(dimension_ > 0,
                  ErrorCode::kDataCorrupt,
                  "'{}': MetaImage header must have field 'NDims'",
                  file_);
    const std::string* sizes = find({"dimsize"});
    VOXLOOM_CHECK(sizes != nullptr,
                  ErrorCode::kDataCorrupt,
                  "'{}': MetaImage header must have field 'DimSize'",
                  file_);
    const auto words = split_words(*sizes);
    VOXLOOM_CHECK(words.size() == dimension_,
                  ErrorCode::kDataCorrupt,
                  "'{}': field 'DimSize' must have {} numbers, got '{}'",
                  file_,
                  dimension_,
                  *sizes);
    for (size_t i = 0; i < dimension_; ++i) {
      const int64_t n = parse_integer(words[i], {file_, "DimSize"}, 1, int64_t{1} << 40);
      if (i < 3) size_[i] = n;
      VOXLOOM_CHECK(i < 3 || n == 1,
                    ErrorCode::kUnsupported,
                    "'{}': must hold one volume, got {} along axis {}; split the file first",
                    file_,
                    n,
                    i);
    }
    const int64_t channels = integer("elementnumberofchannels", 1, 1, 1 << 20);
    VOXLOOM_CHECK(channels == 1,
                  ErrorCode::kUnsupported,
                  "'{}': must hold one value a voxel, got {} channels; split them first",
                  file_,
                  channels);
  }

  std::vector<double> vector(std::initializer_list<std::string_view> keys, size_t count) const {
    const std::string* text = find(keys);
    if (text == nullptr) return {};
    return parse_numbers(*text, {file_, *keys.begin()}, count);
  }

  Geometry geometry() const {
    const size_t n = std::min<size_t>(dimension_, 3);
    Vec3 spacing{1, 1, 1}, origin{};
    auto sizes = vector({"elementspacing"}, dimension_);
    if (sizes.empty()) sizes = vector({"elementsize"}, dimension_);
    for (size_t i = 0; i < n && !sizes.empty(); ++i) {
      // Zero means that nobody knew; a minus sign turns no axis here (ITK drops it too).
      spacing[i] = sizes[i] == 0 ? 1.0 : std::abs(sizes[i]);
    }
    const auto offset = vector({"offset", "position", "origin"}, dimension_);
    for (size_t i = 0; i < n && !offset.empty(); ++i) origin[i] = offset[i];
    const auto matrix =
        vector({"transformmatrix", "rotation", "orientation"}, dimension_ * dimension_);
    std::array<Vec3, 3> steps{};
    for (size_t axis = 0; axis < 3; ++axis) {
      // A row of the matrix is the direction of one axis.
      for (size_t row = 0; row < 3; ++row) {
        const bool given = !matrix.empty() && axis < n && row < n;
        const double cosine = given ? matrix[axis * dimension_ + row] : (axis == row ? 1.0 : 0.0);
        steps[axis][row] = cosine * spacing[axis];
      }
    }
    return geometry_from_steps(size_, steps, origin, file_);
  }

  PixelType pixel_type() const {
    const std::string* name = find({"elementtype"});
    VOXLOOM_CHECK(name != nullptr,
                  ErrorCode::kDataCorrupt,
                  "'{}': MetaImage header must have field 'ElementType'",
                  file_);
    constexpr std::pair<std::string_view, PixelType> kNames[] = {
        {"met_uchar", PixelType::kUint8},
        {"met_char", PixelType::kInt8},
        {"met_ascii_char", PixelType::kInt8},
        {"met_ushort", PixelType::kUint16},
        {"met_short", PixelType::kInt16},
        {"met_uint", PixelType::kUint32},
        {"met_int", PixelType::kInt32},
        {"met_ulong", PixelType::kUint32},  // 4 bytes in this format, whatever the machine
        {"met_long", PixelType::kInt32},
        {"met_ulong_long", PixelType::kUint64},
        {"met_long_long", PixelType::kInt64},
        {"met_float", PixelType::kFloat32},
        {"met_double", PixelType::kFloat64},
    };
    const std::string key = lower_case(*name);
    for (const auto& [text, type] : kNames) {
      if (key == text) return type;
    }
    throw Error(ErrorCode::kUnsupported,
                format("'{}': field 'ElementType' must be a scalar integer or float type, got '{}'",
                       file_,
                       *name));
  }

  std::vector<std::filesystem::path> data_files(const std::string& value) const {
    std::vector<std::filesystem::path> out;
    if (lower_case(value).starts_with("list")) {
      for (const auto& name : header_.listed_files) out.push_back(data_file_beside(path_, name));
      VOXLOOM_CHECK(!out.empty(),
                    ErrorCode::kDataCorrupt,
                    "'{}': field 'ElementDataFile' is LIST but no file follows",
                    file_);
      return out;
    }
    const auto words = split_words(value);
    if (value.find('%') != std::string::npos && words.size() >= 3) {
      const auto number = [&](size_t i) {
        return parse_integer(words[i], {file_, "ElementDataFile"}, 0, int64_t{1} << 31);
      };
      return files_of_pattern(
          path_, words[0], number(1), number(2), words.size() > 3 ? number(3) : 1);
    }
    return {data_file_beside(path_, value)};
  }

  std::unique_ptr<ByteSource> data_bytes(int64_t needed, int64_t skip, bool compressed, bool text) {
    const std::string& value = header_.fields.at(std::string(kLastKey));
    const bool local = lower_case(value) == "local";
    int64_t start = 0;
    std::unique_ptr<ByteSource> source;
    if (local) {
      start = static_cast<int64_t>(header_.length);
      source = std::move(bytes_);
    } else {
      const auto files = data_files(value);
      if (files.size() > 1) {
        const auto parts = static_cast<int64_t>(files.size());
        VOXLOOM_CHECK(!compressed && !text && skip >= 0 && needed % parts == 0,
                      ErrorCode::kUnsupported,
                      "'{}': several data files must hold raw voxels of equal counts, without "
                      "HeaderSize -1",
                      file_);
        return concatenated_files(files, skip, needed / parts);
      }
      source = open_file_bytes(files[0]);
    }
    if (compressed) return inflated_bytes(std::move(source), start + std::max<int64_t>(skip, 0));
    if (skip == -1) {
      VOXLOOM_CHECK(
          source->size_limit() - needed >= start,
          ErrorCode::kDataCorrupt,
          "'{}': voxel data is cut off: must have {} bytes at the end of the file, got {}",
          file_,
          needed,
          source->size_limit() - start);
      start = source->size_limit() - needed;
    } else {
      start += skip;
    }
    return section_bytes(std::move(source), start, text ? INT64_MAX / 2 : needed);
  }

  std::filesystem::path path_;
  std::string file_;
  std::unique_ptr<ByteSource> bytes_;
  MetaHeader header_;
  size_t dimension_ = 0;
  image::Index3 size_{1, 1, 1};
};

}  // namespace

std::unique_ptr<image::VolumeSource> open_metaimage(const std::filesystem::path& path) {
  return MetaReader(path).open();
}

std::string encode_metaimage_header(const Geometry& geometry,
                                    PixelType type,
                                    std::optional<int64_t> compressed_bytes,
                                    std::string_view data_file) {
  constexpr std::string_view kNames[] = {"MET_UCHAR",
                                         "MET_CHAR",
                                         "MET_USHORT",
                                         "MET_SHORT",
                                         "MET_UINT",
                                         "MET_INT",
                                         "MET_ULONG_LONG",
                                         "MET_LONG_LONG",
                                         "MET_FLOAT",
                                         "MET_DOUBLE"};
  const auto& g = geometry;
  std::string matrix;
  for (size_t axis = 0; axis < 3; ++axis) {
    for (size_t row = 0; row < 3; ++row) matrix += format(" {}", g.direction[3 * row + axis] + 0.0);
  }
  std::string out =
      "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\n";
  out += format("CompressedData = {}\n", compressed_bytes ? "True" : "False");
  if (compressed_bytes) out += format("CompressedDataSize = {:016d}\n", *compressed_bytes);
  out += format("TransformMatrix ={}\n", matrix);
  out += format("Offset = {} {} {}\n", g.origin_mm[0], g.origin_mm[1], g.origin_mm[2]);
  out += "CenterOfRotation = 0 0 0\n";
  // MetaIO names where an axis comes from, the opposite of where it points to.
  std::string code = orientation_code(g);
  for (char& c : code) c = "LRPASI"[std::string_view("RLAPIS").find(c)];
  out += format("AnatomicalOrientation = {}\n", code);
  out += format("ElementSpacing = {} {} {}\n", g.spacing_mm[0], g.spacing_mm[1], g.spacing_mm[2]);
  out += format("DimSize = {} {} {}\n", g.size[0], g.size[1], g.size[2]);
  out += format("ElementType = {}\n", kNames[static_cast<size_t>(type)]);
  return out + format("ElementDataFile = {}\n", data_file);
}

}  // namespace voxloom::io
