#include "voxloom/io/npz_volume.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "voxloom/core/error.h"
#include "voxloom/core/npz.h"
#include "voxloom/io/affine.h"
#include "voxloom/io/byte_source.h"
#include "voxloom/io/inflate_source.h"
#include "voxloom/io/voxel_source.h"

namespace voxloom::io {
namespace {

using image::Geometry;
using image::PixelType;

constexpr size_t kMaxNpyStart = (size_t{64} << 10) + 12;

float float_from_half(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000U) << 16;
  const uint32_t exponent = (half >> 10) & 0x1FU, fraction = half & 0x3FFU;
  if (exponent == 0) {
    const float value = std::ldexp(static_cast<float>(fraction), -24);
    return sign != 0 ? -value : value;
  }
  const uint32_t bits =
      exponent == 31 ? 0x7F800000U | fraction << 13 : (exponent + 112) << 23 | fraction << 13;
  return std::bit_cast<float>(sign | bits);
}

/// Half-precision floats, widened.
class HalfBytes final : public ByteSource {
 public:
  HalfBytes(std::unique_ptr<ByteSource> source, bool swap)
      : source_(std::move(source)), swap_(swap) {}

  size_t read_some(int64_t offset, std::span<std::byte> out) override {
    const size_t count = out.size() / 4;  // only whole voxels are asked for
    std::vector<uint16_t> halves(count);
    const size_t got =
        source_->read_some(offset / 2, std::as_writable_bytes(std::span(halves))) / 2;
    for (size_t i = 0; i < got; ++i) {
      uint16_t half = halves[i];
      if (swap_) half = static_cast<uint16_t>(half << 8 | half >> 8);
      const float value = float_from_half(half);
      std::memcpy(out.data() + 4 * i, &value, 4);
    }
    return 4 * got;
  }
  int64_t size_limit() const override { return std::min(source_->size_limit(), INT64_MAX / 2) * 2; }
  int64_t compressed_bytes() const override { return source_->compressed_bytes(); }
  const std::string& name() const override { return source_->name(); }

 private:
  std::unique_ptr<ByteSource> source_;
  bool swap_;
};

PixelType pixel_type_of_dtype(std::string_view dtype, std::string_view where) {
  constexpr std::pair<std::string_view, PixelType> kTypes[] = {{"u1", PixelType::kUint8},
                                                               {"b1", PixelType::kUint8},
                                                               {"i1", PixelType::kInt8},
                                                               {"u2", PixelType::kUint16},
                                                               {"i2", PixelType::kInt16},
                                                               {"u4", PixelType::kUint32},
                                                               {"i4", PixelType::kInt32},
                                                               {"u8", PixelType::kUint64},
                                                               {"i8", PixelType::kInt64},
                                                               {"f2", PixelType::kFloat32},
                                                               {"f4", PixelType::kFloat32},
                                                               {"f8", PixelType::kFloat64}};
  for (const auto& [text, type] : kTypes) {
    if (dtype.size() == 3 && dtype.substr(1) == text) return type;
  }
  throw Error(ErrorCode::kUnsupported,
              format("{}: must hold integers or floats, got type '{}'", where, dtype));
}

/// A small array as doubles; empty when there is none.
std::vector<double> read_numbers(const NpzFile& npz,
                                 std::string_view name,
                                 size_t count,
                                 std::string_view file) {
  if (!npz.contains(name)) return {};
  const NamedArray array = npz.read(name);
  const std::string where = format("'{}': array '{}'", file, name);
  std::vector<double> out;
  if (array.element_count() == static_cast<int64_t>(count)) {
    const PixelType type = pixel_type_of_dtype(array.dtype, where);
    VOXLOOM_CHECK(array.dtype.substr(1) != "f2",
                  ErrorCode::kUnsupported,
                  "{}: must be float32 or wider, got float16",
                  where);
    image::dispatch(type, [&](auto t) {
      for (size_t i = 0; i < count; ++i) {
        std::memcpy(&t, array.data.bytes.data() + i * sizeof(t), sizeof(t));
        out.push_back(static_cast<double>(t));
      }
    });
  }
  const bool good = out.size() == count &&
                    std::all_of(out.begin(), out.end(), [](double v) { return std::isfinite(v); });
  VOXLOOM_CHECK(good,
                ErrorCode::kDataCorrupt,
                "{}: must hold {} finite numbers, got shape {}",
                where,
                count,
                array.shape);
  return out;
}

Geometry read_geometry(const NpzFile& npz, const image::Index3& size, std::string_view file) {
  std::array<image::Vec3, 3> steps{};
  const auto spacing = read_numbers(npz, "spacing", 3, file);
  const auto direction = read_numbers(npz, "direction", 9, file);
  const auto origin = read_numbers(npz, "origin", 3, file);
  for (size_t axis = 0; axis < 3; ++axis) {
    const double length = spacing.empty() ? 1.0 : spacing[axis];
    VOXLOOM_CHECK(length > 0,
                  ErrorCode::kDataCorrupt,
                  "'{}': array 'spacing' must be positive, got {}",
                  file,
                  spacing);
    for (size_t row = 0; row < 3; ++row) {
      const double cosine =
          direction.empty() ? (row == axis ? 1.0 : 0.0) : direction[3 * row + axis];
      steps[axis][row] = cosine * length;
    }
  }
  image::Vec3 first{};
  if (!origin.empty()) std::copy(origin.begin(), origin.end(), first.begin());
  return geometry_from_steps(size, steps, first, file);
}

std::string pick_array(const NpzFile& npz, NpzRole role, std::string_view file) {
  constexpr std::string_view kImageFirst[] = {"imgs", "gts", "segs"};
  constexpr std::string_view kLabelsFirst[] = {"gts", "segs", "imgs"};
  for (const auto name : role == NpzRole::kImage ? kImageFirst : kLabelsFirst) {
    if (npz.contains(name)) return std::string(name);
  }
  std::string list;
  for (const auto& name : npz.names()) list += (list.empty() ? "'" : ", '") + name + "'";
  throw Error(ErrorCode::kDataCorrupt,
              format("'{}': must hold an array 'imgs', 'gts' or 'segs', got {}",
                     file,
                     list.empty() ? "none" : list));
}

/// An array in Fortran order is put right as a whole: numpy writes C order, so this is rare.
std::unique_ptr<ByteSource> row_major_bytes(const NpzFile& npz,
                                            const std::string& name,
                                            const std::string& file) {
  const NamedArray array = npz.read(name);
  const auto bytes = array.data.bytes;
  return memory_bytes(std::vector<std::byte>(bytes.begin(), bytes.end()), file);
}

}  // namespace

std::unique_ptr<image::VolumeSource> open_npz_volume(const std::filesystem::path& path,
                                                     NpzRole role) {
  const std::string file = path.string();
  const ZipReader zip = ZipReader::open(path);
  const NpzFile npz(zip);
  const std::string name = pick_array(npz, role, file);
  const std::string where = format("'{}': array '{}'", file, name);
  const auto& entry = *zip.find(name + ".npy");
  auto bytes = section_bytes(open_file_bytes(path),
                             static_cast<int64_t>(entry.data_offset),
                             static_cast<int64_t>(entry.packed_size));
  if (entry.deflated) bytes = inflated_bytes(std::move(bytes), 0, DeflateFormat::kBare);
  std::vector<std::byte> start(std::min<uint64_t>(entry.size, kMaxNpyStart));
  bytes->read_exact(0, start, "array header");
  const NpyHeader header = parse_npy_header(start, where);

  const auto& shape = header.shape;
  VOXLOOM_CHECK(shape.size() == 2 || shape.size() == 3,
                ErrorCode::kUnsupported,
                "{}: must be [D, H, W] or [H, W] with one value a voxel, got shape {}",
                where,
                shape);
  VOXLOOM_CHECK(std::all_of(shape.begin(), shape.end(), [](int64_t n) { return n > 0; }),
                ErrorCode::kDataCorrupt,
                "{}: must not be empty, got shape {}",
                where,
                shape);
  const size_t n = shape.size();
  VoxelLayout layout;
  layout.geometry = read_geometry(npz, {shape[n - 1], shape[n - 2], n == 3 ? shape[0] : 1}, file);
  layout.stored = layout.type = pixel_type_of_dtype(header.dtype, where);
  const bool half = header.dtype.substr(1) == "f2";
  bool big = header.dtype[0] == '>';
  if (header.fortran_order) {
    bytes = row_major_bytes(npz, name, file);
    big = false;
  } else {
    const auto end = static_cast<int64_t>(entry.size);
    const auto begin = static_cast<int64_t>(header.data_offset);
    bytes = section_bytes(std::move(bytes), begin, end - begin);
  }
  if (half) bytes = std::make_unique<HalfBytes>(std::move(bytes), big);
  layout.swap_bytes = big && !half;
  return make_voxel_source(layout, std::move(bytes));
}

void write_npz_volume(const image::Volume& volume,
                      const std::filesystem::path& path,
                      Overwrite overwrite,
                      NpzRole role,
                      bool compress) {
  const Geometry& g = volume.geometry();
  const auto array = image::dispatch(volume.type(), [&](auto t) {
    return make_array<decltype(t)>(role == NpzRole::kLabels ? "segs" : "imgs",
                                   {g.size[2], g.size[1], g.size[0]},
                                   volume.as<decltype(t)>());
  });
  const NamedArray arrays[] = {array,
                               make_array<double>("spacing", {3}, g.spacing_mm),
                               make_array<double>("origin", {3}, g.origin_mm),
                               make_array<double>("direction", {9}, g.direction)};
  write_npz(
      path, arrays, overwrite, compress ? NpzCompression::kDeflated : NpzCompression::kStored);
}

}  // namespace voxloom::io
