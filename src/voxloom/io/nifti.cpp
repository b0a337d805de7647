#include "voxloom/io/nifti.h"

#include <cmath>
#include <utility>
#include <vector>

#include "voxloom/core/error.h"
#include "voxloom/io/byte_source.h"
#include "voxloom/io/inflate_source.h"
#include "voxloom/io/nifti_header.h"
#include "voxloom/io/path_suffix.h"
#include "voxloom/io/voxel_source.h"

namespace voxloom::io {
namespace {

/// The file's bytes, expanded when it is gzipped.
std::unique_ptr<ByteSource> open_maybe_gzip(const std::filesystem::path& path) {
  auto file = open_file_bytes(path);
  std::byte magic[2];
  const bool gzip =
      file->read_some(0, magic) == 2 && magic[0] == std::byte{0x1f} && magic[1] == std::byte{0x8b};
  return gzip ? inflated_bytes(std::move(file)) : std::move(file);
}

/// "a.img.gz" -> "a.hdr.gz" or "a.hdr", whichever exists; the same the other way.
std::filesystem::path partner(const std::filesystem::path& path,
                              std::string_view from,
                              std::string_view to) {
  const std::string name = path.string();
  std::string stem = name;
  if (has_suffix(path, ".gz")) stem.resize(stem.size() - 3);
  if (has_suffix(stem, from)) stem.resize(stem.size() - from.size());
  const std::filesystem::path plain = stem + std::string(to), packed = plain.string() + ".gz";
  const bool prefer_packed = has_suffix(path, ".gz");
  std::error_code ignored;
  const bool has_plain = std::filesystem::exists(plain, ignored);
  const bool has_packed = std::filesystem::exists(packed, ignored);
  VOXLOOM_CHECK(has_plain || has_packed,
                ErrorCode::kNotFound,
                "'{}': its other half '{}' does not exist",
                path.string(),
                plain.string());
  return (prefer_packed && has_packed) || !has_plain ? packed : plain;
}

}  // namespace

std::unique_ptr<image::VolumeSource> open_nifti(const std::filesystem::path& path) {
  const bool given_img = has_suffix(path, ".img") || has_suffix(path, ".img.gz");
  const auto header_path = given_img ? partner(path, ".img", ".hdr") : path;
  auto bytes = open_maybe_gzip(header_path);
  const std::string file = path.string();
  std::vector<std::byte> head(kNifti2HeaderBytes);
  head.resize(bytes->read_some(0, head));
  const NiftiHeader h = decode_nifti_header(head, file);

  // Extensions lie between header and voxels; more than this is no extension but a lie.
  constexpr double kMaxOffset = 1 << 30;
  VOXLOOM_CHECK(std::isfinite(h.vox_offset) && h.vox_offset >= 0 && h.vox_offset <= kMaxOffset,
                ErrorCode::kDataCorrupt,
                "'{}': NIfTI header: vox_offset must be within [0, {}], got {}",
                file,
                kMaxOffset,
                h.vox_offset);
  auto offset = static_cast<int64_t>(h.vox_offset);
  if (h.pair) {
    bytes = open_maybe_gzip(given_img ? path : partner(path, ".hdr", ".img"));
  } else {
    // Some writers leave it 0; voxels can't begin inside the header.
    const int64_t first = h.version == 1 ? 352 : 544;
    if (offset < first) offset = first;
  }

  VoxelLayout layout;
  layout.stored = nifti_pixel_type(h, file);
  layout.geometry = nifti_geometry(h, file);
  layout.swap_bytes = h.swap_bytes;
  if (std::isfinite(h.slope) && h.slope != 0) {
    VOXLOOM_CHECK(std::isfinite(h.intercept),
                  ErrorCode::kDataCorrupt,
                  "'{}': NIfTI header: scl_inter must be finite where scl_slope is, got {}",
                  file,
                  h.intercept);
    layout.slope = h.slope;
    layout.intercept = h.intercept;
  }
  layout.type = rescaled_type(layout.stored, layout.slope, layout.intercept);
  const int64_t count =
      layout.geometry.voxel_count() * static_cast<int64_t>(image::bytes_per_voxel(layout.stored));
  return make_voxel_source(layout, section_bytes(std::move(bytes), offset, count));
}

}  // namespace voxloom::io
