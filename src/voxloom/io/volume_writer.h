#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "voxloom/core/atomic_file.h"
#include "voxloom/image/volume.h"

namespace voxloom::io {

struct WriteOptions {
  /// 1 (fast) to 9 (small). 0: no compression where the format leaves the choice (NRRD,
  /// MetaImage, NPZ); .nii.gz is then written at level 1.
  int compression_level = 4;
  /// Names of label values, kept where the format has a place (NRRD).
  std::vector<image::Label> labels;
  /// NPZ calls label maps `segs` and images `imgs`.
  bool is_label_map = false;
  /// Whether commit() waits for the disk (NPZ always does).
  Sync sync = Sync::kYes;
};

/// Writes a volume slab by slab, so that it need not fit into memory (only NPZ gathers it). The
/// suffix picks the format, see write_volume(). Nothing appears under `path` before commit();
/// header and data of a pair (.hdr/.img, .nhdr, .mhd) appear both or not at all.
///
///     VolumeWriter writer(source->geometry(), source->type(), "out.nii.gz", Overwrite::kRefuse);
///     for (int64_t z = 0; z < depth; ++z) writer.write(source->read_slab(z, z + 1));
///     writer.commit();
class VolumeWriter {
 public:
  /// Throws kUnsupported for an unknown suffix, kAlreadyExists, kNotFound (no such folder).
  VolumeWriter(const image::Geometry& geometry,
               image::PixelType type,
               const std::filesystem::path& path,
               Overwrite overwrite,
               WriteOptions options = {});
  ~VolumeWriter();
  VolumeWriter(const VolumeWriter&) = delete;
  VolumeWriter& operator=(const VolumeWriter&) = delete;

  /// The next slices. Only size and type of `slab` are looked at, not its origin.
  void write(const image::Volume& slab);

  /// Throws kInvalidArgument unless every slice was written.
  void commit();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace voxloom::io
