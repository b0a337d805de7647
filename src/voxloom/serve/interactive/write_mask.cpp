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
    const auto slab = labels.volume().slab(z, std::min(size[2], z + step));
    writer.write(mask.type == slab.type() ? slab : slab.converted(mask.type));
  }
  writer.commit();
  return path;
}

}  // namespace voxloom::serve
