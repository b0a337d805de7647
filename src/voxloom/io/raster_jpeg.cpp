#include <csetjmp>
#include <cstdio>

#include <jpeglib.h>

#include "voxloom/core/error.h"
#include "voxloom/io/raster.h"

namespace voxloom::io {
namespace {

// libjpeg reports errors by longjmp; as with PNG, the functions that may be jumped out of hold
// only plain data.

struct JpegContext {
  jpeg_decompress_struct jpeg;
  jpeg_error_mgr errors;
  char message[JMSG_LENGTH_MAX] = "";
  std::jmp_buf jump;
};

void on_error(j_common_ptr common) {
  auto* context = static_cast<JpegContext*>(common->client_data);
  common->err->format_message(common, context->message);
  std::longjmp(context->jump, 1);
}

/// A file that is cut off or damaged only warns and goes on with grey: that would be a wrong
/// image, so warnings are errors here. Traces (level >= 0) are dropped.
void on_message(j_common_ptr common, int level) {
  if (level < 0) on_error(common);
}

bool start_reading(JpegContext* c, const unsigned char* bytes, size_t count) {
  if (setjmp(c->jump) != 0) return false;
  jpeg_mem_src(&c->jpeg, bytes, static_cast<unsigned long>(count));
  jpeg_read_header(&c->jpeg, TRUE);
  return true;
}

bool start_rows(JpegContext* c) {
  if (setjmp(c->jump) != 0) return false;
  c->jpeg.out_color_space = c->jpeg.num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_start_decompress(&c->jpeg);
  return true;
}

bool read_rows(JpegContext* c, unsigned char* pixels, size_t row_bytes) {
  if (setjmp(c->jump) != 0) return false;
  while (c->jpeg.output_scanline < c->jpeg.output_height) {
    JSAMPROW row = pixels + c->jpeg.output_scanline * row_bytes;
    jpeg_read_scanlines(&c->jpeg, &row, 1);
  }
  jpeg_finish_decompress(&c->jpeg);
  return true;
}

bool create(JpegContext* c) {
  if (setjmp(c->jump) != 0) return false;
  jpeg_create_decompress(&c->jpeg);
  // Progressive files keep all coefficients: bound them.
  c->jpeg.mem->max_memory_to_use = 1L << 30;
  return true;
}

class JpegReader {
 public:
  JpegReader() {
    context.jpeg = {};
    context.jpeg.err = jpeg_std_error(&context.errors);
    context.jpeg.client_data = &context;
    context.errors.error_exit = on_error;
    context.errors.emit_message = on_message;
    VOXLOOM_CHECK(create(&context), ErrorCode::kUnavailable, "jpeg: {}", context.message);
  }
  ~JpegReader() { jpeg_destroy_decompress(&context.jpeg); }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;
  JpegContext context;
};

}  // namespace

Raster decode_jpeg(std::span<const std::byte> bytes, const std::string& file) {
  JpegReader reader;
  JpegContext& c = reader.context;
  const auto check = [&](bool good) {
    VOXLOOM_CHECK(good,
                  ErrorCode::kDataCorrupt,
                  "'{}': must be a valid JPEG picture, got an error: {}",
                  file,
                  c.message);
  };
  check(start_reading(&c, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
  const int64_t width = c.jpeg.image_width, height = c.jpeg.image_height;
  VOXLOOM_CHECK(width > 0 && height > 0 && width <= kMaxRasterSide && height <= kMaxRasterSide &&
                    width * height <= kMaxRasterPixels,
                ErrorCode::kUnsupported,
                "'{}': a picture must have at most {} pixels, got {}x{}",
                file,
                kMaxRasterPixels,
                width,
                height);
  // A coded block of 64 samples takes two bits at the very least.
  VOXLOOM_CHECK(width * height / 256 <= static_cast<int64_t>(bytes.size()) + 1024,
                ErrorCode::kDataCorrupt,
                "'{}': {}x{} pixels can't be held by {} bytes",
                file,
                width,
                height,
                bytes.size());
  VOXLOOM_CHECK(c.jpeg.num_components == 1 || c.jpeg.num_components == 3,
                ErrorCode::kUnsupported,
                "'{}': must be grey or RGB, got {} channels",
                file,
                c.jpeg.num_components);
  check(start_rows(&c));
  Raster out;
  out.width = width;
  out.height = height;
  out.channels = c.jpeg.output_components;
  const auto row_bytes = static_cast<size_t>(width) * static_cast<size_t>(out.channels);
  out.pixels.resize(row_bytes * static_cast<size_t>(height));
  check(read_rows(&c, reinterpret_cast<unsigned char*>(out.pixels.data()), row_bytes));
  return out;
}

}  // namespace voxloom::io
