#include "voxloom/image/volume.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

namespace voxloom::image {
namespace {

template <class To, class From>
To convert_value(From value) {
  if constexpr (std::is_floating_point_v<To> || std::is_same_v<To, From>) {
    return static_cast<To>(value);
  } else if constexpr (std::is_floating_point_v<From>) {
    if (std::isnan(value)) return To{0};
    const double rounded = std::nearbyint(static_cast<double>(value));
    if (rounded <= static_cast<double>(std::numeric_limits<To>::min())) {
      return std::numeric_limits<To>::min();
    }
    if (rounded >= static_cast<double>(std::numeric_limits<To>::max())) {
      return std::numeric_limits<To>::max();
    }
    return static_cast<To>(rounded);
  } else {
    if (std::cmp_less(value, std::numeric_limits<To>::min())) return std::numeric_limits<To>::min();
    if (std::cmp_greater(value, std::numeric_limits<To>::max())) {
      return std::numeric_limits<To>::max();
    }
    return static_cast<To>(value);
  }
}

class MemorySource final : public VolumeSource {
 public:
  explicit MemorySource(Volume volume) : volume_(std::move(volume)) {}
  const Geometry& geometry() const override { return volume_.geometry(); }
  PixelType type() const override { return volume_.type(); }
  Volume read_slab(int64_t z0, int64_t z1) override { return volume_.slab(z0, z1); }

 private:
  Volume volume_;
};

}  // namespace

size_t bytes_per_voxel(PixelType type) {
  return dispatch(type, [](auto t) { return sizeof(t); });
}

std::string_view pixel_type_name(PixelType type) {
  constexpr std::string_view kNames[] = {"uint8",
                                         "int8",
                                         "uint16",
                                         "int16",
                                         "uint32",
                                         "int32",
                                         "uint64",
                                         "int64",
                                         "float32",
                                         "float64"};
  return kNames[static_cast<size_t>(type)];
}

Volume::Volume(const Geometry& geometry, PixelType type) : geometry_(geometry), type_(type) {
  geometry.validate();
  bytes_.resize(static_cast<size_t>(geometry.voxel_count()) * bytes_per_voxel(type));
}

void Volume::set_geometry(const Geometry& geometry) {
  VOXLOOM_CHECK(geometry.size == geometry_.size,
                ErrorCode::kInternal,
                "volume: a new geometry must keep the size {}, got {}",
                geometry_.size,
                geometry.size);
  geometry.validate();
  geometry_ = geometry;
}

void Volume::check_type(PixelType type) const {
  VOXLOOM_CHECK(type == type_,
                ErrorCode::kInternal,
                "volume: holds {}, was asked for {}",
                pixel_type_name(type_),
                pixel_type_name(type));
}

Volume Volume::converted(PixelType type) const {
  if (type == type_) return *this;
  Volume out(geometry_, type);
  dispatch(type_, [&](auto from) {
    using From = decltype(from);
    dispatch(type, [&](auto to) {
      using To = decltype(to);
      const auto in = as<From>();
      std::transform(in.begin(), in.end(), out.as<To>().begin(), convert_value<To, From>);
    });
  });
  return out;
}

Geometry slab_geometry(const Geometry& g, int64_t z0, int64_t z1) {
  VOXLOOM_CHECK(0 <= z0 && z0 < z1 && z1 <= g.size[2],
                ErrorCode::kInvalidArgument,
                "slab: slices must lie within [0, {}), got [{}, {})",
                g.size[2],
                z0,
                z1);
  Geometry out = g;
  out.size[2] = z1 - z0;
  out.origin_mm = world_from_voxel(g, {0, 0, static_cast<double>(z0)});
  return out;
}

Volume Volume::slab(int64_t z0, int64_t z1) const {
  Volume out(slab_geometry(geometry_, z0, z1), type_);
  const size_t slice_bytes =
      static_cast<size_t>(geometry_.size[0] * geometry_.size[1]) * bytes_per_voxel(type_);
  std::memcpy(
      out.bytes_.data(), bytes_.data() + static_cast<size_t>(z0) * slice_bytes, out.bytes_.size());
  return out;
}

LabelVolume LabelVolume::from_volume(const Volume& volume) {
  LabelVolume out(volume.geometry());
  const auto target = out.voxels();
  dispatch(volume.type(), [&](auto t) {
    const auto source = volume.as<decltype(t)>();
    for (size_t i = 0; i < source.size(); ++i) {
      const auto value = static_cast<double>(source[i]);
      VOXLOOM_CHECK(value >= 0 && value <= 65535 && value == std::floor(value),
                    ErrorCode::kDataCorrupt,
                    "label map: values must be whole numbers within [0, 65535], got {}",
                    value);
      target[i] = static_cast<uint16_t>(value);
    }
  });
  return out;
}

Volume LabelVolume::compact() const {
  const auto v = voxels();
  const bool small = std::all_of(v.begin(), v.end(), [](uint16_t x) { return x <= 255; });
  return small ? volume_.converted(PixelType::kUint8) : volume_;
}

std::unique_ptr<VolumeSource> make_source(Volume volume) {
  return std::make_unique<MemorySource>(std::move(volume));
}

}  // namespace voxloom::image
