#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>

#include <tiffio.h>

#include "voxloom/core/error.h"
#include "voxloom/io/byte_source.h"
#include "voxloom/io/raster.h"

namespace voxloom::io {
namespace {

using image::PixelType;
using image::Volume;

// libtiff reads through these: only what a page needs, by offset, within the file.
struct TiffInput {
  std::unique_ptr<ByteSource> bytes;
  int64_t position = 0;
  std::string message;  ///< The last error of libtiff.
};

TiffInput* input_of(thandle_t handle) {
  return static_cast<TiffInput*>(handle);
}

tmsize_t read_bytes(thandle_t handle, void* target, tmsize_t count) {
  auto* in = input_of(handle);
  if (count <= 0 || in->position >= in->bytes->size_limit()) return 0;
  try {
    const size_t got = in->bytes->read_some(
        in->position, {static_cast<std::byte*>(target), static_cast<size_t>(count)});
    in->position += static_cast<int64_t>(got);
    return static_cast<tmsize_t>(got);
  } catch (const Error& error) {
    // An exception can't pass through C code: libtiff sees a short read.
    in->message = error.what();
    return 0;
  }
}

tmsize_t write_bytes(thandle_t, void*, tmsize_t) {
  return 0;
}

toff_t seek(thandle_t handle, toff_t offset, int whence) {
  auto* in = input_of(handle);
  int64_t base = 0;
  if (whence == SEEK_CUR) base = in->position;
  if (whence == SEEK_END) base = in->bytes->size_limit();
  // Offsets come from the file: everything outside is "at the end", where reads give nothing.
  const auto wanted = static_cast<int64_t>(offset & static_cast<toff_t>(INT64_MAX));
  in->position = wanted > INT64_MAX - base ? INT64_MAX : base + wanted;
  return static_cast<toff_t>(in->position);
}

int close_nothing(thandle_t) {
  return 0;
}

toff_t size_of(thandle_t handle) {
  return static_cast<toff_t>(input_of(handle)->bytes->size_limit());
}

int on_error(thandle_t handle, const char* module, const char* pattern, va_list arguments) {
  char text[256];
  std::vsnprintf(text, sizeof(text), pattern, arguments);
  auto* in = input_of(handle);
  if (in != nullptr) in->message = std::string(module != nullptr ? module : "tiff") + ": " + text;
  return 1;
}

int on_tiff_error(TIFF*, void* user, const char* module, const char* pattern, va_list arguments) {
  return on_error(user, module, pattern, arguments);
}
int on_tiff_warning(TIFF*, void*, const char*, const char*, va_list) {
  return 1;
}

struct TiffCloser {
  void operator()(TIFF* tiff) const { TIFFClose(tiff); }
};
using TiffHandle = std::unique_ptr<TIFF, TiffCloser>;

/// What one page looks like.
struct Page {
  int64_t width = 0, height = 0;
  uint16_t bits = 1, samples = 1, sample_format = SAMPLEFORMAT_UINT;
  uint16_t photometric = PHOTOMETRIC_MINISBLACK, planar = PLANARCONFIG_CONTIG;
  bool tiled = false;
  bool operator==(const Page&) const = default;
};

class TiffVolume final : public image::VolumeSource {
 public:
  explicit TiffVolume(const std::filesystem::path& path) : file_(path.string()) {
    input_.bytes = open_file_bytes(path);
    open();
    page_ = read_page();
    check_page();
    geometry_.size = {page_.width, page_.height, count_pages()};
    geometry_.validate();
  }

  const image::Geometry& geometry() const override { return geometry_; }
  PixelType type() const override { return type_; }

  Volume read_slab(int64_t z0, int64_t z1) override {
    Volume out(image::slab_geometry(geometry_, z0, z1), type_);
    const size_t slice_bytes = out.bytes().size() / static_cast<size_t>(z1 - z0);
    for (int64_t z = z0; z < z1; ++z) {
      check(TIFFSetDirectory(tiff_.get(), static_cast<tdir_t>(z)) == 1, z);
      const Page page = read_page();
      VOXLOOM_CHECK(page == page_,
                    ErrorCode::kUnsupported,
                    "'{}': all pages must have the size and type of the first, {}x{} of {} bits; "
                    "page {} is {}x{} of {} bits",
                    file_,
                    page_.width,
                    page_.height,
                    page_.bits,
                    z,
                    page.width,
                    page.height,
                    page.bits);
      decode(z, out.bytes().subspan(static_cast<size_t>(z - z0) * slice_bytes, slice_bytes));
    }
    return out;
  }

 private:
  void open() {
    std::unique_ptr<TIFFOpenOptions, void (*)(TIFFOpenOptions*)> options(TIFFOpenOptionsAlloc(),
                                                                         TIFFOpenOptionsFree);
    TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), tmsize_t{1} << 30);
    TIFFOpenOptionsSetErrorHandlerExtR(options.get(), on_tiff_error, &input_);
    TIFFOpenOptionsSetWarningHandlerExtR(options.get(), on_tiff_warning, nullptr);
    // "m": no memory mapping.
    tiff_.reset(TIFFClientOpenExt(file_.c_str(),
                                  "rm",
                                  &input_,
                                  read_bytes,
                                  write_bytes,
                                  seek,
                                  close_nothing,
                                  size_of,
                                  nullptr,
                                  nullptr,
                                  options.get()));
    check(tiff_ != nullptr, 0);
  }

  void check(bool good, int64_t page) const {
    VOXLOOM_CHECK(good,
                  ErrorCode::kDataCorrupt,
                  "'{}': page {} must be a valid TIFF picture, got an error: {}",
                  file_,
                  page,
                  input_.message.empty() ? "damaged" : input_.message);
  }

  int64_t count_pages() {
    // Counting follows the chain of directories without reading pictures; loops end it.
    const auto pages = static_cast<int64_t>(TIFFNumberOfDirectories(tiff_.get()));
    VOXLOOM_CHECK(pages >= 1 && pages <= kMaxTiffPages,
                  ErrorCode::kUnsupported,
                  "'{}': must have between 1 and {} pages, got {}",
                  file_,
                  kMaxTiffPages,
                  pages);
    return pages;
  }

  Page read_page() const {
    Page page;
    uint32_t width = 0, height = 0;
    TIFF* tiff = tiff_.get();
    TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &width);
    TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &height);
    page.width = width;
    page.height = height;
    TIFFGetFieldDefaulted(tiff, TIFFTAG_BITSPERSAMPLE, &page.bits);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLESPERPIXEL, &page.samples);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLEFORMAT, &page.sample_format);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_PLANARCONFIG, &page.planar);
    TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &page.photometric);
    page.tiled = TIFFIsTiled(tiff) != 0;
    return page;
  }

  void check_page() {
    const Page& p = page_;
    VOXLOOM_CHECK(p.width > 0 && p.height > 0 && p.width <= kMaxRasterSide &&
                      p.height <= kMaxRasterSide && p.width * p.height <= kMaxRasterPixels,
                  ErrorCode::kUnsupported,
                  "'{}': a page must have between 1 and {} pixels, got {}x{}",
                  file_,
                  kMaxRasterPixels,
                  p.width,
                  p.height);
    const bool real = p.sample_format == SAMPLEFORMAT_IEEEFP;
    const bool is_signed = p.sample_format == SAMPLEFORMAT_INT;
    const bool grey = p.samples == 1 && (p.photometric == PHOTOMETRIC_MINISBLACK ||
                                         p.photometric == PHOTOMETRIC_MINISWHITE);
    rgb_ = (p.samples == 3 || p.samples == 4) && p.bits == 8 && p.photometric == PHOTOMETRIC_RGB &&
           p.planar == PLANARCONFIG_CONTIG && !real;
    const bool known = real ? p.bits == 32 : p.bits == 8 || p.bits == 16 || p.bits == 32;
    VOXLOOM_CHECK(rgb_ || (grey && known),
                  ErrorCode::kUnsupported,
                  "'{}': must be grey of 8, 16 or 32 bits or RGB of 8 bits, got {} samples of {} "
                  "bits, colour model {}",
                  file_,
                  p.samples,
                  p.bits,
                  p.photometric);
    if (rgb_ || p.bits == 8) type_ = is_signed ? PixelType::kInt8 : PixelType::kUint8;
    if (p.bits == 16) type_ = is_signed ? PixelType::kInt16 : PixelType::kUint16;
    if (p.bits == 32) type_ = is_signed ? PixelType::kInt32 : PixelType::kUint32;
    if (real) type_ = PixelType::kFloat32;
    // A strip of a codec like JBIG or LZW repeats bytes at most some thousand times.
    constexpr int64_t kMaxRatio = 16384;
    const int64_t page_bytes = p.width * p.height * p.samples * p.bits / 8;
    VOXLOOM_CHECK(page_bytes / kMaxRatio <= input_.bytes->size_limit(),
                  ErrorCode::kDataCorrupt,
                  "'{}': {}x{} pixels can't be held by {} bytes",
                  file_,
                  p.width,
                  p.height,
                  input_.bytes->size_limit());
  }

  /// One page into `out`, colour turned to grey.
  void decode(int64_t z, std::span<std::byte> out) {
    const size_t pixel = static_cast<size_t>(page_.samples) * page_.bits / 8;
    const size_t row = static_cast<size_t>(page_.width) * pixel;
    std::vector<std::byte> colour(rgb_ ? row * static_cast<size_t>(page_.height) : 0);
    const std::span<std::byte> target = rgb_ ? std::span(colour) : out;
    if (page_.tiled) {
      read_tiles(z, target, row, pixel);
    } else {
      read_strips(z, target, row);
    }
    if (rgb_) to_luma(colour, out);
    // White is 0 there; what is bright must be high.
    if (page_.photometric == PHOTOMETRIC_MINISWHITE) {
      VOXLOOM_CHECK(type_ == PixelType::kUint8 || type_ == PixelType::kUint16,
                    ErrorCode::kUnsupported,
                    "'{}': pictures with white as 0 must be uint8 or uint16, got {}",
                    file_,
                    image::pixel_type_name(type_));
      for (std::byte& b : out) b = ~b;
    }
  }

  void read_strips(int64_t z, std::span<std::byte> target, size_t row) {
    TIFF* tiff = tiff_.get();
    uint32_t rows_per_strip = 0;
    TIFFGetFieldDefaulted(tiff, TIFFTAG_ROWSPERSTRIP, &rows_per_strip);
    check(rows_per_strip > 0, z);
    const auto height = static_cast<uint64_t>(page_.height);
    for (uint64_t y = 0; y < height; y += rows_per_strip) {
      const auto rows = static_cast<size_t>(std::min<uint64_t>(rows_per_strip, height - y));
      const auto part = target.subspan(static_cast<size_t>(y) * row, rows * row);
      const tstrip_t strip = TIFFComputeStrip(tiff, static_cast<uint32_t>(y), 0);
      const tmsize_t got =
          TIFFReadEncodedStrip(tiff, strip, part.data(), static_cast<tmsize_t>(part.size()));
      check(got == static_cast<tmsize_t>(part.size()), z);
    }
  }

  void read_tiles(int64_t z, std::span<std::byte> target, size_t row, size_t pixel) {
    TIFF* tiff = tiff_.get();
    uint32_t tile_width = 0, tile_height = 0;
    TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &tile_width);
    TIFFGetField(tiff, TIFFTAG_TILELENGTH, &tile_height);
    const auto tile_bytes = static_cast<uint64_t>(tile_width) * tile_height * pixel;
    check(tile_width > 0 && tile_height > 0 && tile_width <= kMaxRasterSide &&
              tile_height <= kMaxRasterSide && tile_bytes <= (uint64_t{1} << 30) &&
              TIFFTileSize(tiff) == static_cast<tmsize_t>(tile_bytes),
          z);
    std::vector<std::byte> tile(static_cast<size_t>(tile_bytes));
    for (int64_t y = 0; y < page_.height; y += tile_height) {
      for (int64_t x = 0; x < page_.width; x += tile_width) {
        const ttile_t index =
            TIFFComputeTile(tiff, static_cast<uint32_t>(x), static_cast<uint32_t>(y), 0, 0);
        const tmsize_t got =
            TIFFReadEncodedTile(tiff, index, tile.data(), static_cast<tmsize_t>(tile.size()));
        check(got == static_cast<tmsize_t>(tile.size()), z);
        const int64_t rows = std::min<int64_t>(tile_height, page_.height - y);
        const int64_t columns = std::min<int64_t>(tile_width, page_.width - x);
        for (int64_t r = 0; r < rows; ++r) {
          std::memcpy(
              target.data() + static_cast<size_t>(y + r) * row + static_cast<size_t>(x) * pixel,
              tile.data() + static_cast<size_t>(r * tile_width) * pixel,
              static_cast<size_t>(columns) * pixel);
        }
      }
    }
  }

  void to_luma(std::span<const std::byte> colour, std::span<std::byte> out) const {
    const size_t samples = page_.samples;
    for (size_t i = 0; i < out.size(); ++i) {
      const auto sample = [&](size_t k) {
        return std::to_integer<uint32_t>(colour[i * samples + k]);
      };
      out[i] = static_cast<std::byte>(
          (19595 * sample(0) + 38470 * sample(1) + 7471 * sample(2) + 32768) >> 16);
    }
  }

  std::string file_;
  TiffInput input_;
  TiffHandle tiff_;  ///< After input_: closed before it is gone.
  Page page_;
  bool rgb_ = false;
  PixelType type_ = PixelType::kUint8;
  image::Geometry geometry_;
};

}  // namespace

std::unique_ptr<image::VolumeSource> open_tiff_volume(const std::filesystem::path& path) {
  return std::make_unique<TiffVolume>(path);
}

}  // namespace voxloom::io
