#include "voxloom/recipes/segment/cases.h"

#include <algorithm>
#include <map>

#include "voxloom/core/error.h"
#include "voxloom/core/sha256.h"
#include "voxloom/image/window.h"
#include "voxloom/io/volume_io.h"

namespace voxloom::recipes::segment {
namespace {

std::vector<ObjectSlices> objects_of(const image::LabelVolume& labels) {
  const auto& size = labels.geometry().size;
  const auto pixels = static_cast<size_t>(size[0] * size[1]);
  std::map<uint16_t, std::vector<uint8_t>> found;
  const auto voxels = labels.voxels();
  for (size_t z = 0; z < static_cast<size_t>(size[2]); ++z) {
    uint16_t last = 0;  // runs of equal values are long
    for (const uint16_t value : voxels.subspan(z * pixels, pixels)) {
      if (value == 0 || value == last) continue;
      auto& slices = found[value];
      slices.resize(static_cast<size_t>(size[2]), 0);
      slices[z] = 1;
      last = value;
    }
  }
  std::vector<ObjectSlices> objects;
  for (auto& [value, slices] : found) objects.push_back({value, std::move(slices)});
  return objects;
}

}  // namespace

CaseStore::CaseStore(std::vector<dataset::LabelledVolume> volumes,
                     std::string window,
                     int64_t cache_bytes,
                     Progress& progress,
                     const CancelToken& stop)
    : volumes_(std::move(volumes)), window_(std::move(window)), cache_bytes_(cache_bytes) {
  Sha256 sum;
  progress.begin("read cases", static_cast<int64_t>(volumes_.size()));
  for (size_t i = 0; i < volumes_.size(); ++i) {
    stop.check();
    const auto voxels = read(i);
    const auto& geometry = voxels->labels.geometry();
    index_.push_back({volumes_[i].id, geometry.size, objects_of(voxels->labels)});
    sum.update(format(
        "{} {} {} {}\n", volumes_[i].id, geometry.size[0], geometry.size[1], geometry.size[2]));
    for (int64_t z = 0; z < geometry.size[2]; ++z) {
      sum.update(voxels->grey->read_slab(z, z + 1).bytes());
    }
    sum.update(voxels->labels.volume().bytes());
    keep(i, voxels);
    progress.advance(1);
  }
  progress.end();
  fingerprint_ = to_hex(sum.finish());
}

std::shared_ptr<const CaseVoxels> CaseStore::read(size_t item) const {
  const auto& volume = volumes_[item];
  auto source = io::open_volume(volume.image);
  auto labels = io::read_labels(volume.label);
  VOXLOOM_CHECK(labels.geometry().size == source->geometry().size,
                ErrorCode::kDataCorrupt,
                "label '{}': must have the size {} of its image, got {}",
                volume.label.string(),
                source->geometry().size,
                labels.geometry().size);
  const auto map = image::resolve_window(*source, image::parse_window(window_));
  image::Volume grey(source->geometry(), image::PixelType::kUint8);
  const auto& size = source->geometry().size;
  const auto pixels = static_cast<size_t>(size[0] * size[1]);
  for (int64_t z = 0; z < size[2]; ++z) {
    image::apply_window(map,
                        source->read_slab(z, z + 1),
                        grey.as<uint8_t>().subspan(static_cast<size_t>(z) * pixels, pixels));
  }
  auto voxels = std::make_shared<CaseVoxels>();
  voxels->grey = image::make_source(std::move(grey));
  voxels->labels = std::move(labels);
  return voxels;
}

std::shared_ptr<const CaseVoxels> CaseStore::load(size_t item) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = std::find_if(
        held_.begin(), held_.end(), [item](const Held& held) { return held.item == item; });
    if (found != held_.end()) {
      held_.splice(held_.begin(), held_, found);
      return found->voxels;
    }
  }
  auto voxels = read(item);
  const std::lock_guard lock(mutex_);
  keep(item, voxels);
  return voxels;
}

void CaseStore::keep(size_t item, const std::shared_ptr<const CaseVoxels>& voxels) {
  const int64_t bytes = 3 * voxels->labels.geometry().voxel_count();
  held_.push_front({item, bytes, voxels});
  held_bytes_ += bytes;
  while (held_bytes_ > cache_bytes_ && held_.size() > 1) {
    held_bytes_ -= held_.back().bytes;
    held_.pop_back();
  }
}

}  // namespace voxloom::recipes::segment
