#include "voxloom/capi/frame_input.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "voxloom/core/error.h"

namespace voxloom::capi {
namespace {

void check_fields(const voxloom_frame& frame) {
  constexpr auto kWrong = ErrorCode::kInvalidArgument;
  VOXLOOM_CHECK(frame.struct_size == sizeof(voxloom_frame),
                kWrong,
                "frame.struct_size: must be sizeof(voxloom_frame), {}, got {}",
                sizeof(voxloom_frame),
                frame.struct_size);
  VOXLOOM_CHECK(frame.pixels != nullptr, kWrong, "frame.pixels: must not be null, got null");
  VOXLOOM_CHECK(frame.width >= 1 && frame.height >= 1 && frame.width <= kLargestSide &&
                    frame.height <= kLargestSide,
                kWrong,
                "frame.width, frame.height: must lie within [1, {}] px, got {} x {}",
                kLargestSide,
                frame.width,
                frame.height);
  VOXLOOM_CHECK(frame.bits == 8 || frame.bits == 16,
                kWrong,
                "frame.bits: must be 8 or 16, got {}",
                frame.bits);
  const int64_t row = int64_t{frame.width} * (frame.bits / 8);
  VOXLOOM_CHECK(frame.stride_bytes >= row && frame.stride_bytes <= INT32_MAX,
                kWrong,
                "frame.stride_bytes: must lie within [{}, {}] (width x bytes a pixel), got {}",
                row,
                INT32_MAX,
                frame.stride_bytes);
  const auto needed = static_cast<uint64_t>(frame.stride_bytes * (frame.height - 1) + row);
  VOXLOOM_CHECK(frame.size_bytes >= needed,
                kWrong,
                "frame.size_bytes: {} x {} px of {} bits with rows {} bytes apart need {}, got {}",
                frame.width,
                frame.height,
                frame.bits,
                frame.stride_bytes,
                needed,
                frame.size_bytes);
  const int32_t highest = frame.bits == 8 ? 255 : 65535;
  VOXLOOM_CHECK(frame.white >= 0 && frame.white <= highest,
                kWrong,
                "frame.white: must lie within [0, {}], got {}",
                highest,
                frame.white);
  VOXLOOM_CHECK(std::isfinite(frame.pixel_mm) && frame.pixel_mm >= 0.0 && frame.pixel_mm <= 100.0,
                kWrong,
                "frame.pixel_mm: must lie within [0, 100] mm, got {}",
                frame.pixel_mm);
}

}  // namespace

image::Frame read_frame(const voxloom_frame* given, double default_pixel_mm, bool bright_objects) {
  VOXLOOM_CHECK(given != nullptr, ErrorCode::kInvalidArgument, "frame: must not be null, got null");
  check_fields(*given);
  image::Frame frame{.width = given->width,
                     .height = given->height,
                     .pixel_mm = given->pixel_mm > 0.0 ? given->pixel_mm : default_pixel_mm};
  frame.pixels.resize(static_cast<size_t>(frame.width * frame.height));
  const int32_t white = given->white > 0 ? given->white : (given->bits == 8 ? 255 : 65535);
  const auto scale = static_cast<float>(white);
  const auto* bytes = static_cast<const unsigned char*>(given->pixels);
  float* out = frame.pixels.data();
  for (int64_t y = 0; y < frame.height; ++y) {
    const unsigned char* row = bytes + y * given->stride_bytes;
    for (int64_t x = 0; x < frame.width; ++x) {
      uint16_t value = row[x];
      // Rows of 16 bits may begin at odd addresses.
      if (given->bits == 16) std::memcpy(&value, row + 2 * x, sizeof value);
      const float grey = std::min(static_cast<float>(value) / scale, 1.0F);
      *out++ = bright_objects ? 1.0F - grey : grey;
    }
  }
  return frame;
}

}  // namespace voxloom::capi
