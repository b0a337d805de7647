#include <algorithm>
#include <cmath>

#include "voxloom/dataset/fluoro_export.h"

namespace voxloom::dataset {

image::Canvas draw_frame(const FluoroFrame& f) {
  image::Canvas canvas(f.frame.width, f.frame.height);
  for (int64_t y = 0; y < f.frame.height; ++y) {
    for (int64_t x = 0; x < f.frame.width; ++x) {
      const float v = f.frame.pixels[static_cast<size_t>(y * f.frame.width + x)];
      const auto grey = static_cast<uint8_t>(v * 255.0F + 0.5F);
      canvas.set(x, y, {grey, grey, grey});
    }
  }
  return canvas;
}

image::Canvas draw_overlay(const FluoroFrame& f) {
  image::Canvas canvas = draw_frame(f);
  for (int64_t y = 0; y < f.frame.height; ++y) {
    for (int64_t x = 0; x < f.frame.width; ++x) {
      image::Color color;
      switch (static_cast<WireClass>(f.mask[static_cast<size_t>(y * f.frame.width + x)])) {
        case WireClass::kGuidewire:
          color = {0, 255, 80};
          break;
        case WireClass::kCatheter:
          color = {60, 130, 255};
          break;
        case WireClass::kOtherDevice:
          color = {255, 90, 50};
          break;
        case WireClass::kVessel:
          color = {210, 110, 255};
          break;
        default:
          continue;
      }
      canvas.blend(x, y, color, 0.45);
    }
  }
  for (const auto& wire : f.wires) {
    if (!wire.tip) continue;
    const auto x = static_cast<int64_t>(std::lround((*wire.tip)[0]));
    const auto y = static_cast<int64_t>(std::lround((*wire.tip)[1]));
    canvas.frame({x - 7, y - 7, 15, 15}, {255, 230, 0});
  }
  return canvas;
}

}  // namespace voxloom::dataset
