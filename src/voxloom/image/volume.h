#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "voxloom/core/error.h"
#include "voxloom/image/geometry.h"

namespace voxloom::image {

/// Run-time voxel type. Append only: the numbers are written to caches.
enum class PixelType : uint8_t {
  kUint8 = 0,
  kInt8 = 1,
  kUint16 = 2,
  kInt16 = 3,
  kUint32 = 4,
  kInt32 = 5,
  kUint64 = 6,
  kInt64 = 7,
  kFloat32 = 8,
  kFloat64 = 9,
};

[[nodiscard]] size_t bytes_per_voxel(PixelType type);
[[nodiscard]] std::string_view pixel_type_name(PixelType type);  ///< "uint8", "int16", ...

template <class T>
constexpr PixelType pixel_type_of();
template <>
constexpr PixelType pixel_type_of<uint8_t>() {
  return PixelType::kUint8;
}
template <>
constexpr PixelType pixel_type_of<int8_t>() {
  return PixelType::kInt8;
}
template <>
constexpr PixelType pixel_type_of<uint16_t>() {
  return PixelType::kUint16;
}
template <>
constexpr PixelType pixel_type_of<int16_t>() {
  return PixelType::kInt16;
}
template <>
constexpr PixelType pixel_type_of<uint32_t>() {
  return PixelType::kUint32;
}
template <>
constexpr PixelType pixel_type_of<int32_t>() {
  return PixelType::kInt32;
}
template <>
constexpr PixelType pixel_type_of<uint64_t>() {
  return PixelType::kUint64;
}
template <>
constexpr PixelType pixel_type_of<int64_t>() {
  return PixelType::kInt64;
}
template <>
constexpr PixelType pixel_type_of<float>() {
  return PixelType::kFloat32;
}
template <>
constexpr PixelType pixel_type_of<double>() {
  return PixelType::kFloat64;
}

/// Calls fn(T{}) with the C++ type that `type` stands for.
template <class Fn>
decltype(auto) dispatch(PixelType type, Fn&& fn) {
  switch (type) {
    case PixelType::kUint8:
      return fn(uint8_t{});
    case PixelType::kInt8:
      return fn(int8_t{});
    case PixelType::kUint16:
      return fn(uint16_t{});
    case PixelType::kInt16:
      return fn(int16_t{});
    case PixelType::kUint32:
      return fn(uint32_t{});
    case PixelType::kInt32:
      return fn(int32_t{});
    case PixelType::kUint64:
      return fn(uint64_t{});
    case PixelType::kInt64:
      return fn(int64_t{});
    case PixelType::kFloat32:
      return fn(float{});
    case PixelType::kFloat64:
      return fn(double{});
  }
  throw Error(ErrorCode::kInternal, "unknown pixel type");
}

/// Voxels plus geometry. x runs fastest, then y, then z: the memory is [D, H, W] row-major.
/// Copies are deep; move where you can. Intensities are as the file means them (rescale applied).
class Volume {
 public:
  Volume() = default;
  /// Zero-filled. Throws kDataCorrupt for an invalid geometry.
  Volume(const Geometry& geometry, PixelType type);

  [[nodiscard]] const Geometry& geometry() const { return geometry_; }
  /// Replaces the geometry; the size must stay the same.
  void set_geometry(const Geometry& geometry);
  [[nodiscard]] PixelType type() const { return type_; }
  [[nodiscard]] int64_t voxel_count() const { return geometry_.voxel_count(); }
  [[nodiscard]] bool empty() const { return bytes_.empty(); }

  [[nodiscard]] std::span<std::byte> bytes() { return bytes_; }
  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }

  /// The voxels as T. Throws kInternal when T is not the stored type.
  template <class T>
  [[nodiscard]] std::span<T> as() {
    check_type(pixel_type_of<T>());
    return {reinterpret_cast<T*>(bytes_.data()), static_cast<size_t>(voxel_count())};
  }
  template <class T>
  [[nodiscard]] std::span<const T> as() const {
    check_type(pixel_type_of<T>());
    return {reinterpret_cast<const T*>(bytes_.data()), static_cast<size_t>(voxel_count())};
  }

  /// Converted to another type: rounded and clamped when the target is an integer.
  [[nodiscard]] Volume converted(PixelType type) const;

  /// Slices z0 ... z1-1 as a volume of their own, its origin moved accordingly.
  [[nodiscard]] Volume slab(int64_t z0, int64_t z1) const;

 private:
  void check_type(PixelType type) const;

  Geometry geometry_;
  PixelType type_ = PixelType::kUint8;
  std::vector<std::byte> bytes_;
};

/// The geometry of slices z0 ... z1-1 of `g`.
[[nodiscard]] Geometry slab_geometry(const Geometry& g, int64_t z0, int64_t z1);

/// One named value of a label map.
struct Label {
  uint16_t value = 0;
  std::string name;
  bool operator==(const Label&) const = default;
};

/// A label map: uint16 voxels, 0 is background, plus the names of the values.
class LabelVolume {
 public:
  LabelVolume() = default;
  explicit LabelVolume(const Geometry& geometry) : volume_(geometry, PixelType::kUint16) {}
  /// From any integer-valued volume. Throws kDataCorrupt for NaN, negative, fractional or > 65535.
  static LabelVolume from_volume(const Volume& volume);

  [[nodiscard]] const Geometry& geometry() const { return volume_.geometry(); }
  [[nodiscard]] std::span<uint16_t> voxels() { return volume_.as<uint16_t>(); }
  [[nodiscard]] std::span<const uint16_t> voxels() const { return volume_.as<uint16_t>(); }
  [[nodiscard]] const Volume& volume() const { return volume_; }
  /// uint8 when every value fits, else uint16: what writers store.
  [[nodiscard]] Volume compact() const;

  std::vector<Label> labels;  ///< Names of the values other than background.

 private:
  Volume volume_;
};

/// A volume that is read on demand, slab by slab; io::open_volume makes one from a file.
/// Not thread-safe: one reader at a time.
class VolumeSource {
 public:
  virtual ~VolumeSource() = default;
  [[nodiscard]] virtual const Geometry& geometry() const = 0;
  [[nodiscard]] virtual PixelType type() const = 0;
  /// Slices z0 ... z1-1. Throws kInvalidArgument outside [0, depth].
  [[nodiscard]] virtual Volume read_slab(int64_t z0, int64_t z1) = 0;
};

/// A source over a volume in memory.
[[nodiscard]] std::unique_ptr<VolumeSource> make_source(Volume volume);

}  // namespace voxloom::image
