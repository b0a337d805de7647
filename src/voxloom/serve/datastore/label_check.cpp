#include "voxloom/serve/datastore/label_check.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <memory>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/core/json_text.h"
#include "voxloom/core/mapped_file.h"
#include "voxloom/image/volume.h"
#include "voxloom/io/path_suffix.h"
#include "voxloom/io/volume_format.h"
#include "voxloom/io/volume_io.h"
#include "voxloom/io/volume_writer.h"

namespace voxloom::serve {
namespace {

namespace fs = std::filesystem;
using image::Geometry;
using image::PixelType;

constexpr uint64_t kMaxJsonBytes = uint64_t{64} << 20;
constexpr int64_t kSlabVoxels = int64_t{4} << 20;

[[noreturn]] void refuse(const std::string& why) {
  throw Error(ErrorCode::kInvalidArgument, "label: " + why);
}

int64_t slab_depth(const Geometry& g) {
  return std::clamp<int64_t>(kSlabVoxels / (g.size[0] * g.size[1]), 1, g.size[2]);
}

io::VolumeFormat format_of(const std::string& ext) {
  const fs::path name("x" + ext);
  if (io::has_suffix(name, ".nrrd")) return io::VolumeFormat::kNrrd;
  if (io::has_suffix(name, ".mha")) return io::VolumeFormat::kMetaImage;
  if (io::has_suffix(name, ".png")) return io::VolumeFormat::kPng;
  if (io::has_suffix(name, ".tif") || io::has_suffix(name, ".tiff")) {
    return io::VolumeFormat::kTiff;
  }
  return io::VolumeFormat::kNifti;
}

/// What a name promises has to be true: other programs choose their reader by it.
void check_format(const fs::path& path, const std::string& ext) {
  const auto is = io::detect_format(path), named = format_of(ext);
  if (is != named) {
    refuse(format("must be {} as its name says, got {}",
                  io::volume_format_name(named),
                  io::volume_format_name(is)));
  }
  if (named != io::VolumeFormat::kNifti) return;
  std::ifstream file(path, std::ios::binary);
  const bool packed = file.get() == 0x1f && file.get() == 0x8b;
  if (packed != io::has_suffix(path, ".gz")) {
    refuse(packed ? "is packed by gzip, so its name must end with .nii.gz"
                  : "must be packed by gzip as its name says");
  }
}

/// A picture's size on the image's grid: its file says nothing else.
Geometry with_size(Geometry grid, const image::Index3& size) {
  grid.size = size;
  return grid;
}

void check_values(const image::Volume& slab) {
  if (slab.type() == PixelType::kUint8 || slab.type() == PixelType::kUint16) return;
  image::dispatch(slab.type(), [&](auto t) {
    using T = decltype(t);
    const auto voxels = slab.as<T>();
    const auto bad = std::find_if(voxels.begin(), voxels.end(), [](T v) {
      const auto value = static_cast<double>(v);
      return !(value >= 0 && value <= 65535 && value == std::floor(value));
    });
    if (bad != voxels.end()) {
      refuse(format("values must be whole numbers within [0, 65535], got {}",
                    static_cast<double>(*bad)));
    }
  });
}

void check_json(const fs::path& path) {
  const auto text = read_text_file(path, kMaxJsonBytes);
  const auto value = parse_json(text, "label");
  if (!value.is_object()) refuse(format("must be a JSON object, got {}", value.type_name()));
}

void check_volume(const fs::path& path, const std::string& ext, const LabelTarget& target) {
  check_format(path, ext);
  const auto source = io::open_volume(path);
  Geometry grid = source->geometry();
  if (!target.has_geometry) grid = with_size(target.grid, grid.size);
  check_label_grid(grid, target.grid, 0.05);
  const int64_t depth = source->geometry().size[2], step = slab_depth(source->geometry());
  for (int64_t z = 0; z < depth; z += step) {
    check_values(source->read_slab(z, std::min(z + step, depth)));
  }
}

}  // namespace

void check_label_grid(const Geometry& label, const Geometry& image, double voxels) {
  const double shortest = *std::min_element(image.spacing_mm.begin(), image.spacing_mm.end());
  const std::string differs = image::grid_difference(label, image, voxels * shortest);
  if (!differs.empty()) refuse("must have the image's " + differs);
}

void check_label(const fs::path& path, const std::string& ext, const LabelTarget& target) {
  try {
    if (io::has_suffix(path, ".json")) {
      check_json(path);
    } else {
      check_volume(path, ext, target);
    }
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kInvalidArgument) throw;
    // The reader's message names the temporary file, which says nothing to the client.
    std::string why = error.what();
    for (const std::string& name : {path.string(), path.filename().string()}) {
      for (size_t at = why.find(name); at != std::string::npos; at = why.find(name)) {
        why.replace(at, name.size(), "upload");
      }
    }
    refuse(format("must be readable: {}", why));
  }
}

void convert_raw_label(const fs::path& raw, const LabelTarget& target, const fs::path& nifti) {
  const SharedBytes bytes = map_file(raw);
  const Geometry& grid = target.grid;
  if (static_cast<int64_t>(bytes.bytes.size()) != grid.voxel_count()) {
    refuse(format("raw voxels must be {} bytes of uint8 for the image's size {}, got {}",
                  grid.voxel_count(),
                  grid.size,
                  bytes.bytes.size()));
  }
  io::VolumeWriter writer(grid,
                          PixelType::kUint8,
                          nifti,
                          Overwrite::kReplace,
                          {.compression_level = 1, .labels = {}, .is_label_map = true});
  const int64_t slice = grid.size[0] * grid.size[1], step = slab_depth(grid);
  for (int64_t z = 0; z < grid.size[2]; z += step) {
    const int64_t end = std::min(z + step, grid.size[2]);
    image::Volume slab(image::slab_geometry(grid, z, end), PixelType::kUint8);
    const auto part =
        bytes.bytes.subspan(static_cast<size_t>(z * slice), static_cast<size_t>((end - z) * slice));
    std::copy(part.begin(), part.end(), slab.bytes().begin());
    writer.write(slab);
  }
  writer.commit();
}

}  // namespace voxloom::serve
