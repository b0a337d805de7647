#include "voxloom/recipes/wire/picture.h"

#include <algorithm>
#include <cmath>

namespace voxloom::recipes::wire {

image::Canvas compare_masks(const dataset::LabelledImage& image,
                            const ObjectMask& truth,
                            const std::vector<uint8_t>& predicted) {
  constexpr image::Color kFound{0, 200, 90}, kMissed{70, 130, 255}, kWrong{255, 60, 50};
  constexpr double kOpacity = 0.75;
  image::Canvas canvas(2 * image.width, image.height);
  for (int64_t y = 0; y < image.height; ++y) {
    for (int64_t x = 0; x < image.width; ++x) {
      const auto i = static_cast<size_t>(y * image.width + x);
      const auto v =
          static_cast<uint8_t>(std::lround(std::clamp(image.image[i], 0.0F, 1.0F) * 255.0F));
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

}  // namespace voxloom::recipes::wire
