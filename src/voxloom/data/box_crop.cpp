#include "voxloom/data/box_crop.h"

#include <algorithm>
#include <cmath>

namespace voxloom::data {
namespace {

// Quarter turns and the smallest scale of augmentation reach sqrt(2) * 1.4 of half a side.
constexpr double kReach = 2.0;

infer::WireBox shaken(const infer::WireBox& box, const BoxCrops& how, Rng& rng) {
  const double cx = 0.5 * (box.x0 + box.x1) + rng.uniform(-how.shift, how.shift) * box.width();
  const double cy = 0.5 * (box.y0 + box.y1) + rng.uniform(-how.shift, how.shift) * box.height();
  const double w = 0.5 * box.width() * (1.0 + rng.uniform(-how.scale, how.scale));
  const double h = 0.5 * box.height() * (1.0 + rng.uniform(-how.scale, how.scale));
  return {cx - w, cy - h, cx + w, cy + h, box.confidence, box.label};
}

infer::CropWindow random_window(const SourceView& image, const infer::CropRule& rule, Rng& rng) {
  const auto span = static_cast<uint64_t>(rule.max_side - rule.min_side + 1);
  const int64_t side = rule.min_side + static_cast<int64_t>(rng.below(span));
  const auto start = [&](int64_t size) {
    if (size <= side) return -((side - size) / 2);
    return static_cast<int64_t>(rng.below(static_cast<uint64_t>(size - side + 1)));
  };
  const int64_t x = start(image.width), y = start(image.height);
  return {x, y, side, side};
}

infer::CropWindow choose_window(const SourceView& image,
                                bool on_object,
                                const BoxCrops& how,
                                Rng& rng) {
  if (on_object && !image.mask.empty()) {
    std::vector<uint8_t> objects(image.mask.size());
    for (size_t i = 0; i < objects.size(); ++i) objects[i] = how.is_object[image.mask[i]] ? 1 : 0;
    const auto boxes = infer::boxes_of_mask(objects, image.width, image.height, how.boxes);
    if (!boxes.empty()) {
      const auto windows = infer::crop_windows(
          shaken(boxes[rng.below(boxes.size())], how, rng), image.width, image.height, how.rule);
      return windows[rng.below(windows.size())];
    }
  }
  return random_window(image, how.rule, rng);
}

}  // namespace

BoxRegion choose_box_region(
    const SourceView& image, int64_t side, bool on_object, const BoxCrops& how, Rng& rng) {
  const infer::CropWindow window = choose_window(image, on_object, how, rng);
  const double scale = static_cast<double>(side) / static_cast<double>(window.width);
  const auto margin =
      static_cast<int64_t>(std::ceil(0.5 * (kReach - 1.0) * static_cast<double>(window.width)));
  BoxRegion region;
  const auto cut = [&](int64_t start, int64_t length, int64_t size, int64_t& from, int64_t& count) {
    from = std::clamp<int64_t>(start - margin, 0, size - 1);
    count = std::clamp<int64_t>(start + length + margin - from, 1, size - from);
  };
  cut(window.x, window.width, image.width, region.source.x, region.source.width);
  cut(window.y, window.height, image.height, region.source.y, region.source.height);
  const auto scaled = [&](int64_t n) {
    return std::max<int64_t>(1, std::lround(static_cast<double>(n) * scale));
  };
  region.width = scaled(region.source.width);
  region.height = scaled(region.source.height);
  const auto offset = [&](int64_t n) {
    return static_cast<int64_t>(std::lround(static_cast<double>(n) * scale));
  };
  region.x = offset(window.x - region.source.x);
  region.y = offset(window.y - region.source.y);
  region.side = side;
  return region;
}

ResizedRegion resize_region(const SourceView& image, const BoxRegion& region) {
  ResizedRegion out{.width = region.width, .height = region.height, .image = {}, .mask = {}};
  out.mean = image.mean;
  const auto& source = region.source;
  std::vector<float> pixels(static_cast<size_t>(source.width * source.height)), resized;
  for (int64_t y = 0; y < source.height; ++y) {
    const uint8_t* row = image.image.data() + (source.y + y) * image.width + source.x;
    std::copy_n(row, source.width, pixels.data() + y * source.width);
  }
  infer::resample(pixels,
                  source.width,
                  source.height,
                  {0, 0, source.width, source.height},
                  region.width,
                  region.height,
                  resized);
  out.image.resize(resized.size());
  for (size_t i = 0; i < resized.size(); ++i) {
    out.image[i] = static_cast<uint8_t>(std::lround(std::clamp(resized[i], 0.0F, 255.0F)));
  }
  if (image.mask.empty()) return out;
  const double sx = static_cast<double>(source.width) / static_cast<double>(region.width);
  const double sy = static_cast<double>(source.height) / static_cast<double>(region.height);
  Warp how{region.width, region.height, {}, {}};
  how.matrix = {sx,
                0,
                static_cast<double>(source.x) + 0.5 * sx - 0.5,
                0,
                sy,
                static_cast<double>(source.y) + 0.5 * sy - 0.5,
                0,
                0,
                1};
  out.mask = warp(image, how).mask;
  return out;
}

}  // namespace voxloom::data
