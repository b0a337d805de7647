#include <csetjmp>
#include <cstring>

#include <png.h>

#include "voxloom/core/error.h"
#include "voxloom/io/raster.h"

namespace voxloom::io {
namespace {

// libpng reports errors by longjmp. The functions that may be jumped out of hold only plain
// data; everything with a destructor belongs to their callers.

struct PngContext {
  png_structp png = nullptr;
  png_infop info = nullptr;
  const png_byte* in = nullptr;
  size_t in_left = 0;
  std::string* out = nullptr;
  char message[160] = "";
  std::jmp_buf jump;
};

void on_error(png_structp png, png_const_charp text) {
  auto* context = static_cast<PngContext*>(png_get_error_ptr(png));
  std::strncpy(context->message, text, sizeof(context->message) - 1);
  std::longjmp(context->jump, 1);
}

void on_warning(png_structp, png_const_charp) {}

void read_bytes(png_structp png, png_bytep target, size_t count) {
  auto* context = static_cast<PngContext*>(png_get_io_ptr(png));
  if (count > context->in_left) png_error(png, "the file is cut off");
  std::memcpy(target, context->in, count);
  context->in += count;
  context->in_left -= count;
}

void write_bytes(png_structp png, png_bytep source, size_t count) {
  auto* context = static_cast<PngContext*>(png_get_io_ptr(png));
  context->out->append(reinterpret_cast<const char*>(source), count);
}

void flush_bytes(png_structp) {}

struct PngHeader {
  int64_t width = 0, height = 0;
  int bits = 8, channels = 1, passes = 1;
};

/// The header, with transformations set up so that rows come as grey, indices or RGB of 8 or 16
/// bits.
bool start_reading(PngContext* c, PngPalette palette, PngHeader* header) {
  if (setjmp(c->jump) != 0) return false;
  png_set_user_limits(c->png, kMaxRasterSide, kMaxRasterSide);
  png_set_chunk_malloc_max(c->png, png_alloc_size_t{8} << 20);
  png_set_chunk_cache_max(c->png, 64);
  png_set_read_fn(c->png, c, read_bytes);
  png_read_info(c->png, c->info);
  const auto colour = png_get_color_type(c->png, c->info);
  if (colour == PNG_COLOR_TYPE_PALETTE) {
    if (palette == PngPalette::kColours) {
      png_set_palette_to_rgb(c->png);
    } else {
      png_set_packing(c->png);
    }
  }
  if (colour == PNG_COLOR_TYPE_GRAY) png_set_expand_gray_1_2_4_to_8(c->png);
  png_set_strip_alpha(c->png);
  if (png_get_bit_depth(c->png, c->info) == 16) png_set_swap(c->png);
  header->passes = png_set_interlace_handling(c->png);
  png_read_update_info(c->png, c->info);
  header->width = png_get_image_width(c->png, c->info);
  header->height = png_get_image_height(c->png, c->info);
  header->bits = png_get_bit_depth(c->png, c->info);
  header->channels = png_get_channels(c->png, c->info);
  return true;
}

bool read_rows(PngContext* c, const PngHeader* header, png_byte* pixels, size_t row_bytes) {
  if (setjmp(c->jump) != 0) return false;
  for (int pass = 0; pass < header->passes; ++pass) {
    for (int64_t y = 0; y < header->height; ++y) {
      png_read_row(c->png, pixels + static_cast<size_t>(y) * row_bytes, nullptr);
    }
  }
  png_read_end(c->png, nullptr);
  return true;
}

bool write_image(PngContext* c, const Raster* raster, size_t row_bytes) {
  if (setjmp(c->jump) != 0) return false;
  png_set_write_fn(c->png, c, write_bytes, flush_bytes);
  png_set_user_limits(c->png, kMaxRasterSide, kMaxRasterSide);
  const bool wide = raster->type == image::PixelType::kUint16;
  png_set_IHDR(c->png,
               c->info,
               static_cast<png_uint_32>(raster->width),
               static_cast<png_uint_32>(raster->height),
               wide ? 16 : 8,
               raster->channels == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY,
               PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  png_set_compression_level(c->png, 6);
  png_write_info(c->png, c->info);
  if (wide) png_set_swap(c->png);
  for (int64_t y = 0; y < raster->height; ++y) {
    png_write_row(c->png,
                  reinterpret_cast<const png_byte*>(raster->pixels.data()) +
                      static_cast<size_t>(y) * row_bytes);
  }
  png_write_end(c->png, nullptr);
  return true;
}

class PngReader {
 public:
  PngReader() {
    context.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &context, on_error, on_warning);
    if (context.png != nullptr) context.info = png_create_info_struct(context.png);
    VOXLOOM_CHECK(
        context.info != nullptr, ErrorCode::kUnavailable, "png: cannot start, out of memory");
  }
  ~PngReader() { png_destroy_read_struct(&context.png, &context.info, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;
  PngContext context;
};

class PngWriter {
 public:
  PngWriter() {
    context.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &context, on_error, on_warning);
    if (context.png != nullptr) context.info = png_create_info_struct(context.png);
    VOXLOOM_CHECK(
        context.info != nullptr, ErrorCode::kUnavailable, "png: cannot start, out of memory");
  }
  ~PngWriter() { png_destroy_write_struct(&context.png, &context.info); }
  PngWriter(const PngWriter&) = delete;
  PngWriter& operator=(const PngWriter&) = delete;
  PngContext context;
};

}  // namespace

Raster decode_png(std::span<const std::byte> bytes, const std::string& file, PngPalette palette) {
  PngReader reader;
  PngContext& c = reader.context;
  c.in = reinterpret_cast<const png_byte*>(bytes.data());
  c.in_left = bytes.size();
  PngHeader header;
  VOXLOOM_CHECK(start_reading(&c, palette, &header),
                ErrorCode::kDataCorrupt,
                "'{}': must be a valid PNG picture, got an error: {}",
                file,
                c.message);
  VOXLOOM_CHECK(header.width * header.height <= kMaxRasterPixels,
                ErrorCode::kUnsupported,
                "'{}': a picture must have at most {} pixels, got {}x{}",
                file,
                kMaxRasterPixels,
                header.width,
                header.height);
  VOXLOOM_CHECK(
      (header.channels == 1 || header.channels == 3) && (header.bits == 8 || header.bits == 16),
      ErrorCode::kUnsupported,
      "'{}': must be grey or RGB of 8 or 16 bits, got {} channels of {} bits",
      file,
      header.channels,
      header.bits);
  Raster out;
  out.width = header.width;
  out.height = header.height;
  out.channels = header.channels;
  out.type = header.bits == 16 ? image::PixelType::kUint16 : image::PixelType::kUint8;
  const size_t row_bytes = png_get_rowbytes(c.png, c.info);
  // A row of the compressed data needs a bit at least; this bounds what a tiny file can ask for.
  constexpr size_t kMaxRatio = 1100;
  VOXLOOM_CHECK(row_bytes * static_cast<size_t>(out.height) <= (bytes.size() + 1024) * kMaxRatio,
                ErrorCode::kDataCorrupt,
                "'{}': {}x{} pixels can't be held by {} bytes",
                file,
                out.width,
                out.height,
                bytes.size());
  out.pixels.resize(row_bytes * static_cast<size_t>(out.height));
  VOXLOOM_CHECK(read_rows(&c, &header, reinterpret_cast<png_byte*>(out.pixels.data()), row_bytes),
                ErrorCode::kDataCorrupt,
                "'{}': must be a valid PNG picture, got an error: {}",
                file,
                c.message);
  return out;
}

std::string encode_png(const Raster& raster) {
  const size_t sample = image::bytes_per_voxel(raster.type);
  const bool grey = raster.channels == 1 && sample <= 2;
  const bool colour = raster.channels == 3 && raster.type == image::PixelType::kUint8;
  const auto pixel_bytes = static_cast<size_t>(raster.channels) * sample;
  VOXLOOM_CHECK(raster.width > 0 && raster.height > 0 && raster.width <= kMaxRasterSide &&
                    raster.height <= kMaxRasterSide,
                ErrorCode::kInvalidArgument,
                "png: sides must be within [1, {}], got {}x{}",
                kMaxRasterSide,
                raster.width,
                raster.height);
  const size_t row_bytes = static_cast<size_t>(raster.width) * pixel_bytes;
  VOXLOOM_CHECK(
      (grey || colour) && raster.pixels.size() == row_bytes * static_cast<size_t>(raster.height),
      ErrorCode::kInvalidArgument,
      "png: must be grey uint8 or uint16, or RGB uint8, with all its pixels; got {} "
      "channels of {} in {} bytes",
      raster.channels,
      image::pixel_type_name(raster.type),
      raster.pixels.size());
  std::string out;
  PngWriter writer;
  writer.context.out = &out;
  VOXLOOM_CHECK(write_image(&writer.context, &raster, row_bytes),
                ErrorCode::kInternal,
                "png: cannot write: {}",
                writer.context.message);
  return out;
}

void write_png(const Raster& raster, const std::filesystem::path& path, Overwrite overwrite) {
  const std::string bytes = encode_png(raster);
  AtomicFile file(path, overwrite);
  file.write(bytes);
  file.commit();
}

}  // namespace voxloom::io
