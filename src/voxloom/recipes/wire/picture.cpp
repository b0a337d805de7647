#include "voxloom/recipes/wire/picture.h"

#include <algorithm>
#include <cmath>

#include "voxloom/core/format.h"

namespace voxloom::recipes::wire {

namespace {

uint8_t grey_value(float pixel) {
  return static_cast<uint8_t>(std::lround(std::clamp(pixel, 0.0F, 1.0F) * 255.0F));
}

}  // namespace

image::Canvas compare_masks(const dataset::LabelledImage& image,
                            const ObjectMask& truth,
                            const std::vector<uint8_t>& predicted) {
  constexpr image::Color kFound{0, 200, 90}, kMissed{70, 130, 255}, kWrong{255, 60, 50};
  constexpr double kOpacity = 0.75;
  image::Canvas canvas(2 * image.width, image.height);
  for (int64_t y = 0; y < image.height; ++y) {
    for (int64_t x = 0; x < image.width; ++x) {
      const auto i = static_cast<size_t>(y * image.width + x);
      const auto v = grey_value(image.image[i]);
      canvas.set(x, y, {v, v, v});
      const int64_t right = x + image.width;
      canvas.set(right, y, {v, v, v});
      if (truth.ignore[i] != 0) {
        if ((x + y) % 4 == 0) canvas.set(right, y, {128, 128, 128});
      } else if (truth.object[i] != 0) {
        canvas.blend(right, y, predicted[i] != 0 ? kFound : kMissed, kOpacity);
      } else if (predicted[i] != 0) {
        canvas.blend(right, y, kWrong, kOpacity);
      }
    }
  }
  return canvas;
}

image::Canvas show_boxes(const dataset::LabelledImage& image,
                         const std::vector<infer::WireBox>& truth,
                         const std::vector<infer::WireBox>& found) {
  constexpr image::Color kTrue{0, 200, 90}, kFound{255, 150, 40};
  image::Canvas canvas(image.width, image.height);
  for (int64_t y = 0; y < image.height; ++y) {
    for (int64_t x = 0; x < image.width; ++x) {
      const auto v = grey_value(image.image[static_cast<size_t>(y * image.width + x)]);
      canvas.set(x, y, {v, v, v});
    }
  }
  const auto rect = [](const infer::WireBox& box) {
    const auto x = std::lround(box.x0), y = std::lround(box.y0);
    return image::PixelRect{x, y, std::lround(box.x1) - x, std::lround(box.y1) - y};
  };
  for (const auto& box : truth) canvas.frame(rect(box), kTrue);
  for (const auto& box : found) {
    canvas.frame(rect(box), kFound);
    canvas.text(rect(box).x + 3, rect(box).y + 3, format("{:.2f}", box.confidence), kFound);
  }
  return canvas;
}

}  // namespace voxloom::recipes::wire
