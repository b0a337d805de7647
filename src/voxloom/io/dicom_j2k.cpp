#include "voxloom/io/dicom_j2k.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include <openjpeg.h>

#include "voxloom/core/error.h"

namespace voxloom::io {
namespace {

struct Cursor {
  std::span<const std::byte> bytes;
  size_t at = 0;
};

OPJ_SIZE_T read_some(void* buffer, OPJ_SIZE_T size, void* user) {
  auto& c = *static_cast<Cursor*>(user);
  const size_t count = std::min<size_t>(size, c.bytes.size() - c.at);
  if (count == 0) return static_cast<OPJ_SIZE_T>(-1);
  std::memcpy(buffer, c.bytes.data() + c.at, count);
  c.at += count;
  return count;
}

OPJ_OFF_T skip_some(OPJ_OFF_T size, void* user) {
  auto& c = *static_cast<Cursor*>(user);
  if (size < 0) return -1;
  const size_t count = std::min<size_t>(static_cast<size_t>(size), c.bytes.size() - c.at);
  c.at += count;
  return static_cast<OPJ_OFF_T>(count);
}

OPJ_BOOL seek_to(OPJ_OFF_T at, void* user) {
  auto& c = *static_cast<Cursor*>(user);
  if (at < 0 || static_cast<size_t>(at) > c.bytes.size()) return OPJ_FALSE;
  c.at = static_cast<size_t>(at);
  return OPJ_TRUE;
}

void say_nothing(const char*, void*) {}

template <class T, void (*Free)(T*)>
struct Deleter {
  void operator()(T* p) const { Free(p); }
};
using Codec = std::unique_ptr<opj_codec_t, Deleter<opj_codec_t, opj_destroy_codec>>;
using Stream = std::unique_ptr<opj_stream_t, Deleter<opj_stream_t, opj_stream_destroy>>;
using Image = std::unique_ptr<opj_image_t, Deleter<opj_image_t, opj_image_destroy>>;

}  // namespace

std::vector<int32_t> decode_jpeg2000(std::span<const std::byte> bytes,
                                     int64_t rows,
                                     int64_t columns,
                                     int samples) {
  // A bare code stream starts with SOC; a JP2 file with its signature box.
  const bool bare = bytes.size() > 2 && bytes[0] == std::byte{0xFF} && bytes[1] == std::byte{0x4F};
  const Codec codec(opj_create_decompress(bare ? OPJ_CODEC_J2K : OPJ_CODEC_JP2));
  const Stream stream(opj_stream_default_create(OPJ_TRUE));
  VOXLOOM_CHECK(codec && stream, ErrorCode::kUnavailable, "jpeg 2000 decoder: must start");
  opj_set_info_handler(codec.get(), say_nothing, nullptr);
  opj_set_warning_handler(codec.get(), say_nothing, nullptr);
  opj_set_error_handler(codec.get(), say_nothing, nullptr);
  Cursor cursor{bytes, 0};
  opj_stream_set_read_function(stream.get(), read_some);
  opj_stream_set_skip_function(stream.get(), skip_some);
  opj_stream_set_seek_function(stream.get(), seek_to);
  opj_stream_set_user_data(stream.get(), &cursor, nullptr);
  opj_stream_set_user_data_length(stream.get(), bytes.size());

  opj_dparameters_t parameters;
  opj_set_default_decoder_parameters(&parameters);
  opj_image_t* raw = nullptr;
  const bool header = opj_setup_decoder(codec.get(), &parameters) &&
                      opj_read_header(stream.get(), codec.get(), &raw);
  const Image image(raw);
  VOXLOOM_CHECK(header && image,
                ErrorCode::kDataCorrupt,
                "jpeg 2000 code stream: must start with a valid header");
  // Checked before anything of that size is allocated.
  const auto width = static_cast<int64_t>(image->x1) - image->x0;
  const auto height = static_cast<int64_t>(image->y1) - image->y0;
  VOXLOOM_CHECK(
      width == columns && height == rows && image->numcomps == static_cast<OPJ_UINT32>(samples),
      ErrorCode::kDataCorrupt,
      "jpeg 2000 code stream: must hold {}x{} pixels of {} samples, got {}x{} of {}",
      columns,
      rows,
      samples,
      width,
      height,
      image->numcomps);
  VOXLOOM_CHECK(opj_decode(codec.get(), stream.get(), image.get()) &&
                    opj_end_decompress(codec.get(), stream.get()),
                ErrorCode::kDataCorrupt,
                "jpeg 2000 code stream: must decode to the end");
  const auto pixels = static_cast<size_t>(rows * columns);
  const auto count = static_cast<size_t>(samples);
  std::vector<int32_t> out(pixels * count);
  for (size_t s = 0; s < count; ++s) {
    const auto& component = image->comps[s];
    VOXLOOM_CHECK(component.data != nullptr && component.w == static_cast<OPJ_UINT32>(columns) &&
                      component.h == static_cast<OPJ_UINT32>(rows),
                  ErrorCode::kDataCorrupt,
                  "jpeg 2000 code stream: components must not be subsampled");
    for (size_t i = 0; i < pixels; ++i) out[i * count + s] = component.data[i];
  }
  return out;
}

}  // namespace voxloom::io
