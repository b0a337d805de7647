#include "voxloom/serve/interactive/write_mask.h"

#include <algorithm>
#include <random>

#include "voxloom/core/error.h"
#include "voxloom/io/volume_writer.h"

namespace voxloom::serve {
namespace {

/// 16 hexadecimal digits that nobody can guess.
std::string random_name() {
  std::random_device device;
  return format("mask{:08x}{:08x}", device(), device());
}

/// Slices z0 ... z1-1 in the type of the file; the values were checked before.
image::Volume slab_of(const image::LabelVolume& labels,
                      image::PixelType type,
                      int64_t z0,
                      int64_t z1) {
  const auto& g = labels.geometry();
  const auto slice = static_cast<size_t>(g.size[0] * g.size[1]);
  const auto voxels = labels.voxels().subspan(static_cast<size_t>(z0) * slice,
                                              static_cast<size_t>(z1 - z0) * slice);
  image::Volume slab(image::slab_geometry(g, z0, z1), type);
  if (type == image::PixelType::kUint16) {
    std::copy(voxels.begin(), voxels.end(), slab.as<uint16_t>().begin());
  } else {
    std::transform(voxels.begin(), voxels.end(), slab.as<uint8_t>().begin(), [](uint16_t value) {
      return static_cast<uint8_t>(value);
    });
  }
  return slab;
}

}  // namespace

std::filesystem::path write_mask(const image::LabelVolume& labels,
                                 const MaskFormat& mask,
                                 const std::filesystem::path& folder,
                                 const CancelToken& stop) {
  const auto path = folder / (random_name() + mask.extension);
  io::WriteOptions options;
  options.compression_level = mask.compress ? 4 : 0;
  options.is_label_map = true;
  options.sync = Sync::kNo;
  if (mask.extension == ".seg.nrrd") options.labels = labels.labels;
  io::VolumeWriter writer(
      labels.geometry(), mask.type, path, Overwrite::kRefuse, std::move(options));
  // About a million voxels at a time: no second copy of the whole map.
  const auto& size = labels.geometry().size;
  const int64_t step = std::max<int64_t>(1, (int64_t{1} << 20) / (size[0] * size[1]));
  for (int64_t z = 0; z < size[2]; z += step) {
    stop.check();
    writer.write(slab_of(labels, mask.type, z, std::min(size[2], z + step)));
  }
  writer.commit();
  return path;
}

}  // namespace voxloom::serve
