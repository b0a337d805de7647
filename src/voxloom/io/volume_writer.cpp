#include "voxloom/io/volume_writer.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "voxloom/core/error.h"
#include "voxloom/io/deflate_sink.h"
#include "voxloom/io/metaimage.h"
#include "voxloom/io/nifti_header.h"
#include "voxloom/io/npz_volume.h"
#include "voxloom/io/nrrd.h"
#include "voxloom/io/path_suffix.h"
#include "voxloom/io/volume_io.h"

namespace voxloom::io {
namespace {

namespace fs = std::filesystem;
using image::Geometry;
using image::PixelType;

enum class Format { kNifti, kNiftiGzip, kNiftiPair, kNrrd, kNrrdDetached, kMha, kMhd, kNpz };

struct FormatRow {
  std::string_view suffix;
  Format format;
};

// Longer suffixes before those they end with.
constexpr FormatRow kFormats[] = {
    {".nii.gz", Format::kNiftiGzip},
    {".nii", Format::kNifti},
    {".hdr", Format::kNiftiPair},
    {".img", Format::kNiftiPair},
    {".nrrd", Format::kNrrd},
    {".nhdr", Format::kNrrdDetached},
    {".mha", Format::kMha},
    {".mhd", Format::kMhd},
    {".npz", Format::kNpz},
};

Format format_of(const fs::path& path) {
  std::string known;
  for (const auto& row : kFormats) {
    // A name that is nothing but a suffix has no format: ".nii" is a hidden file.
    if (has_suffix(path, row.suffix) && path.filename().string().size() > row.suffix.size()) {
      return row.format;
    }
    known += (known.empty() ? "" : ", ") + std::string(row.suffix);
  }
  throw Error(ErrorCode::kUnsupported,
              format("output '{}': its name must end with one of {}", path.string(), known));
}

fs::path with_suffix(const fs::path& path, std::string_view suffix) {
  fs::path out = path;
  return out.replace_extension(suffix);
}

void overwrite_start(const fs::path& file, std::string_view text) {
  const int fd = ::open(file.c_str(), O_WRONLY | O_CLOEXEC);
  const bool good =
      fd >= 0 && ::pwrite(fd, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
  const int reason = errno;
  if (fd >= 0) ::close(fd);
  VOXLOOM_CHECK(good,
                ErrorCode::kUnavailable,
                "output '{}': cannot be written: {}",
                file.string(),
                std::strerror(reason));
}

/// Commits `data`, then `header`; when the second fails, what was at `data_path` before is back.
void commit_both(AtomicFile& data, AtomicFile& header, const fs::path& data_path) {
  const fs::path backup = data.temporary_path().string() + ".old";
  const bool had_old = ::link(data_path.c_str(), backup.c_str()) == 0;
  try {
    data.commit();
  } catch (...) {
    if (had_old) ::unlink(backup.c_str());
    throw;
  }
  try {
    header.commit();
  } catch (...) {
    if (had_old) {
      ::rename(backup.c_str(), data_path.c_str());
    } else {
      ::unlink(data_path.c_str());
    }
    throw;
  }
  if (had_old) ::unlink(backup.c_str());
}

}  // namespace

class VolumeWriter::Impl {
 public:
  Impl(const Geometry& geometry,
       PixelType type,
       const fs::path& path,
       Overwrite overwrite,
       WriteOptions options)
      : geometry_(geometry),
        type_(type),
        path_(path),
        overwrite_(overwrite),
        options_(std::move(options)),
        format_(format_of(path)) {
    geometry.validate();
    VOXLOOM_CHECK(options_.compression_level >= 0 && options_.compression_level <= 9,
                  ErrorCode::kInvalidArgument,
                  "compression level must be within [0, 9], got {}",
                  options_.compression_level);
    begin();
  }

  void write(const image::Volume& slab) {
    const auto& size = slab.geometry().size;
    VOXLOOM_CHECK(
        size[0] == geometry_.size[0] && size[1] == geometry_.size[1] &&
            size[2] <= geometry_.size[2] - written_ && slab.type() == type_,
        ErrorCode::kInvalidArgument,
        "output '{}': the next slab must be {}x{} {} with at most {} slices, got {}x{}x{} {}",
        path_.string(),
        geometry_.size[0],
        geometry_.size[1],
        image::pixel_type_name(type_),
        geometry_.size[2] - written_,
        size[0],
        size[1],
        size[2],
        image::pixel_type_name(slab.type()));
    if (gathered_) {
      std::copy(slab.bytes().begin(),
                slab.bytes().end(),
                gathered_->bytes().begin() +
                    static_cast<ptrdiff_t>(slab.bytes().size()) / size[2] * written_);
    } else {
      put(slab.bytes());
    }
    written_ += size[2];
  }

  void commit() {
    VOXLOOM_CHECK(written_ == geometry_.size[2],
                  ErrorCode::kInvalidArgument,
                  "output '{}': {} slices must be written, got {}",
                  path_.string(),
                  geometry_.size[2],
                  written_);
    if (gathered_) {
      write_npz_volume(*gathered_,
                       path_,
                       overwrite_,
                       options_.is_label_map ? NpzRole::kLabels : NpzRole::kImage,
                       options_.compression_level > 0);
      return;
    }
    if (deflate_) deflate_->finish();
    if (format_ == Format::kMha && deflate_) {
      overwrite_start(
          data_->temporary_path(),
          encode_metaimage_header(geometry_, type_, deflate_->compressed_bytes(), "LOCAL"));
    }
    if (!header_path_) {
      data_->commit();
      return;
    }
    header_->write(detached_header());
    commit_both(*data_, *header_, data_path_);
  }

 private:
  bool compressed() const { return options_.compression_level > 0; }

  void begin() {
    data_path_ = path_;
    switch (format_) {
      case Format::kNpz:
        check_output(path_, overwrite_);
        gathered_.emplace(geometry_, type_);
        return;
      case Format::kNiftiPair:
        header_path_ = with_suffix(path_, ".hdr");
        data_path_ = with_suffix(path_, ".img");
        break;
      case Format::kNrrdDetached:
        header_path_ = path_;
        data_path_ = with_suffix(path_, compressed() ? ".raw.gz" : ".raw");
        break;
      case Format::kMhd:
        header_path_ = path_;
        data_path_ = with_suffix(path_, compressed() ? ".zraw" : ".raw");
        break;
      default:
        break;
    }
    if (header_path_) header_.emplace(*header_path_, overwrite_, options_.sync);
    data_.emplace(data_path_, overwrite_, options_.sync);
    begin_data();
  }

  void begin_data() {
    switch (format_) {
      case Format::kNifti:
        put_text(encode_nifti_header(geometry_, type_, false));
        break;
      case Format::kNiftiGzip:
        deflate(DeflateSink::Wrapper::kGzip);
        put_text(encode_nifti_header(geometry_, type_, false));
        break;
      case Format::kNrrd:
        put_text(encode_nrrd_header(geometry_, type_, compressed(), options_.labels, ""));
        if (compressed()) deflate(DeflateSink::Wrapper::kGzip);
        break;
      case Format::kNrrdDetached:
        if (compressed()) deflate(DeflateSink::Wrapper::kGzip);
        break;
      case Format::kMha:
        put_text(encode_metaimage_header(
            geometry_, type_, compressed() ? std::optional<int64_t>(0) : std::nullopt, "LOCAL"));
        if (compressed()) deflate(DeflateSink::Wrapper::kZlib);
        break;
      case Format::kMhd:
        if (compressed()) deflate(DeflateSink::Wrapper::kZlib);
        break;
      case Format::kNiftiPair:
      case Format::kNpz:
        break;
    }
  }

  std::string detached_header() const {
    const std::string data_name = data_path_.filename().string();
    if (format_ == Format::kNiftiPair) return encode_nifti_header(geometry_, type_, true);
    if (format_ == Format::kNrrdDetached) {
      return encode_nrrd_header(geometry_, type_, compressed(), options_.labels, data_name);
    }
    return encode_metaimage_header(
        geometry_,
        type_,
        deflate_ ? std::optional<int64_t>(deflate_->compressed_bytes()) : std::nullopt,
        data_name);
  }

  void deflate(DeflateSink::Wrapper wrapper) {
    deflate_.emplace(wrapper,
                     std::max(options_.compression_level, 1),
                     [this](std::span<const std::byte> bytes) { data_->write(bytes); });
  }
  void put(std::span<const std::byte> bytes) {
    if (deflate_) {
      deflate_->write(bytes);
    } else {
      data_->write(bytes);
    }
  }
  void put_text(const std::string& text) { put(std::as_bytes(std::span(text))); }

  Geometry geometry_;
  PixelType type_;
  fs::path path_, data_path_;
  std::optional<fs::path> header_path_;
  Overwrite overwrite_;
  WriteOptions options_;
  Format format_;
  int64_t written_ = 0;
  std::optional<AtomicFile> header_, data_;
  std::optional<DeflateSink> deflate_;
  std::optional<image::Volume> gathered_;  ///< NPZ only.
};

VolumeWriter::VolumeWriter(const Geometry& geometry,
                           PixelType type,
                           const fs::path& path,
                           Overwrite overwrite,
                           WriteOptions options)
    : impl_(std::make_unique<Impl>(geometry, type, path, overwrite, std::move(options))) {}

VolumeWriter::~VolumeWriter() = default;

void VolumeWriter::write(const image::Volume& slab) {
  impl_->write(slab);
}

void VolumeWriter::commit() {
  impl_->commit();
}

void write_volume(const image::Volume& volume, const fs::path& path, Overwrite overwrite) {
  VolumeWriter writer(volume.geometry(), volume.type(), path, overwrite);
  writer.write(volume);
  writer.commit();
}

void write_labels(const image::LabelVolume& labels, const fs::path& path, Overwrite overwrite) {
  WriteOptions options;
  options.labels = labels.labels;
  options.is_label_map = true;
  const auto voxels = labels.voxels();
  const bool small = std::all_of(voxels.begin(), voxels.end(), [](uint16_t v) { return v <= 255; });
  const auto type = small ? image::PixelType::kUint8 : image::PixelType::kUint16;
  VolumeWriter writer(labels.geometry(), type, path, overwrite, std::move(options));
  // A few slices at a time: a copy of the whole map would be the largest thing in memory.
  constexpr int64_t kSlab = 16;
  const int64_t depth = labels.geometry().size[2];
  for (int64_t z = 0; z < depth; z += kSlab) {
    writer.write(labels.volume().slab(z, std::min(depth, z + kSlab)).converted(type));
  }
  writer.commit();
}

void check_writable_format(const fs::path& path) {
  static_cast<void>(format_of(path));
}

}  // namespace voxloom::io
