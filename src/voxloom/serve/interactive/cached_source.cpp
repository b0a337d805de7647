#include "voxloom/serve/interactive/cached_source.h"

#include <algorithm>
#include <optional>

#include "voxloom/core/error.h"

namespace voxloom::serve {
namespace {

class CachedSource final : public image::VolumeSource {
 public:
  explicit CachedSource(std::shared_ptr<image::VolumeSource> source)
      : source_(std::move(source)), geometry_(source_->geometry()), type_(source_->type()) {}

  [[nodiscard]] const image::Geometry& geometry() const override { return geometry_; }
  [[nodiscard]] image::PixelType type() const override { return type_; }

  [[nodiscard]] image::Volume read_slab(int64_t z0, int64_t z1) override {
    VOXLOOM_CHECK(z0 >= 0 && z0 <= z1 && z1 <= geometry_.size[2],
                  ErrorCode::kInvalidArgument,
                  "slab: must lie within slices 0 to {}, got {} to {}",
                  geometry_.size[2],
                  z0,
                  z1);
    if (!voxels_) voxels_.emplace(geometry_, type_);
    if (filled_ < z1) {
      const auto slab = source_->read_slab(filled_, z1);
      const int64_t slice = voxel_bytes(*this) / geometry_.size[2];
      std::copy(slab.bytes().begin(),
                slab.bytes().end(),
                voxels_->bytes().begin() + static_cast<ptrdiff_t>(slice * filled_));
      filled_ = z1;
      // Nothing more to read: an open file and its buffers are of no further use.
      if (filled_ == geometry_.size[2]) source_.reset();
    }
    return voxels_->slab(z0, z1);
  }

 private:
  std::shared_ptr<image::VolumeSource> source_;
  image::Geometry geometry_;
  image::PixelType type_;
  std::optional<image::Volume> voxels_;
  int64_t filled_ = 0;  ///< Slices below it are in voxels_.
};

}  // namespace

int64_t voxel_bytes(const image::VolumeSource& source) {
  return source.geometry().voxel_count() *
         static_cast<int64_t>(image::bytes_per_voxel(source.type()));
}

std::shared_ptr<image::VolumeSource> cached_source(std::shared_ptr<image::VolumeSource> source) {
  return std::make_shared<CachedSource>(std::move(source));
}

}  // namespace voxloom::serve
