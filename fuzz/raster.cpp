#include "voxloom/io/raster.h"

#include <span>

#include "voxloom/core/error.h"

#include "volume_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto format = voxloom::io::raster_format(std::as_bytes(std::span(data, size)));
  if (format == voxloom::io::RasterFormat::kNone) return 0;
  if (format == voxloom::io::RasterFormat::kPng) {
    try {
      static_cast<void>(voxloom::io::decode_png(
          std::as_bytes(std::span(data, size)), "case.png", voxloom::io::PngPalette::kIndices));
    } catch (const voxloom::Error&) {
    }
  }
  const auto file = voxloom::fuzz::input_file("case.img", data, size);
  voxloom::fuzz::read_volume_input([&] { return voxloom::io::open_raster_volume(file, format); });
  return 0;
}
