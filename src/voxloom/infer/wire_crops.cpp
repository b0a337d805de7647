#include "voxloom/infer/wire_crops.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "voxloom/core/error.h"

namespace voxloom::infer {
namespace {

/// Which input pixels make an output pixel of one axis.
struct Taps {
  std::vector<int64_t> first;  ///< Into `pixel` and `weight`; one more than outputs.
  std::vector<int64_t> pixel;  ///< Inside the image: the border stands for what lies outside.
  std::vector<float> weight;   ///< Sum 1 an output.
};

std::array<double, 4> cubic(double f) {
  const double f2 = f * f, f3 = f2 * f;
  return {-0.5 * f + f2 - 0.5 * f3,
          1.0 - 2.5 * f2 + 1.5 * f3,
          0.5 * f + 2.0 * f2 - 1.5 * f3,
          -0.5 * f2 + 0.5 * f3};
}

Taps make_taps(int64_t start, int64_t length, int64_t out, int64_t image) {
  Taps taps;
  taps.first.push_back(0);
  const double scale = static_cast<double>(length) / static_cast<double>(out);
  const auto add = [&](int64_t pixel, double weight) {
    if (weight == 0.0) return;
    taps.pixel.push_back(std::clamp<int64_t>(start + pixel, 0, image - 1));
    taps.weight.push_back(static_cast<float>(weight));
  };
  for (int64_t i = 0; i < out; ++i) {
    if (length == out) {
      add(i, 1.0);
    } else if (length > out) {
      const double low = static_cast<double>(i) * scale, high = low + scale;
      for (auto p = static_cast<int64_t>(low); static_cast<double>(p) < high; ++p) {
        const double covered =
            std::min(high, static_cast<double>(p + 1)) - std::max(low, static_cast<double>(p));
        add(p, std::max(covered, 0.0) / scale);
      }
    } else {
      const double at = (static_cast<double>(i) + 0.5) * scale - 0.5;
      const double floor = std::floor(at);
      const auto weights = cubic(at - floor);
      for (int64_t k = 0; k < 4; ++k) {
        add(static_cast<int64_t>(floor) - 1 + k, weights[static_cast<size_t>(k)]);
      }
    }
    taps.first.push_back(static_cast<int64_t>(taps.pixel.size()));
  }
  return taps;
}

int64_t tiles_of(double length, const CropRule& rule) {
  const auto longest = static_cast<double>(rule.max_side);
  if (length <= longest) return 1;
  const auto overlap = static_cast<double>(rule.overlap);
  return static_cast<int64_t>(std::ceil((length - overlap) / (longest - overlap)));
}

/// The side that `count` tiles need to cover `length`.
double side_of(double length, int64_t count, const CropRule& rule) {
  return (length + static_cast<double>((count - 1) * rule.overlap)) / static_cast<double>(count);
}

/// Where `count` windows of `side` that cover [low, high] begin; inside [0, limit].
std::vector<int64_t> starts(double low, double high, int64_t side, int64_t count, int64_t limit) {
  std::vector<int64_t> out;
  const double room = static_cast<double>(side);
  for (int64_t i = 0; i < count; ++i) {
    const double share = count == 1 ? 0.5 : static_cast<double>(i) / static_cast<double>(count - 1);
    const double first = count == 1 ? 0.5 * (low + high - room) : low + share * (high - low - room);
    const int64_t begin = std::lround(first);
    out.push_back(side >= limit ? -((side - limit) / 2)
                                : std::clamp<int64_t>(begin, 0, limit - side));
  }
  return out;
}

}  // namespace

void CropRule::visit(OptionList& list) {
  list.option("--crop-expand", expand, "Margin round a box, as a share of its sides.")
      .with_range(0.0, 4.0);
  list.option("--crop-min", min_side, "Smallest crop in px of the frame.").with_range(8, 4096);
  list.option("--crop-max", max_side, "Largest crop in px; larger boxes are tiled.")
      .with_range(8, 4096);
  list.option("--crop-overlap", overlap, "What neighbouring tiles share, in px.")
      .with_range(0, 2048);
  list.option("--crop-side",
              side,
              "Side of a crop as the segmenter sees it in px, 0: as it was trained, else 224.")
      .with_range(0, 4096);
}

void CropRule::validate() const {
  VOXLOOM_CHECK(min_side >= 8 && min_side <= max_side && overlap >= 0 && 2 * overlap <= max_side,
                ErrorCode::kInvalidArgument,
                "crops: the smallest must be at most the largest and the overlap at most half of "
                "that, got {}, {} and {}",
                min_side,
                max_side,
                overlap);
  VOXLOOM_CHECK(side >= 8 && expand >= 0.0,
                ErrorCode::kInvalidArgument,
                "crops: the side must be at least 8 px and the margin not negative, got {} and {}",
                side,
                expand);
}

std::vector<CropWindow> crop_windows(const WireBox& box,
                                     int64_t width,
                                     int64_t height,
                                     const CropRule& rule) {
  const double mx = 0.5 * rule.expand * box.width(), my = 0.5 * rule.expand * box.height();
  const WireBox wide = clip_box(
      {.x0 = box.x0 - mx, .y0 = box.y0 - my, .x1 = box.x1 + mx, .y1 = box.y1 + my}, width, height);
  const int64_t nx = tiles_of(wide.width(), rule), ny = tiles_of(wide.height(), rule);
  const double needed = std::max(side_of(wide.width(), nx, rule), side_of(wide.height(), ny, rule));
  const int64_t side = std::clamp<int64_t>(
      static_cast<int64_t>(std::ceil(needed - 1e-9)), rule.min_side, rule.max_side);
  std::vector<CropWindow> windows;
  for (const int64_t y : starts(wide.y0, wide.y1, side, ny, height)) {
    for (const int64_t x : starts(wide.x0, wide.x1, side, nx, width)) {
      const CropWindow window{x, y, side, side};
      if (std::find(windows.begin(), windows.end(), window) == windows.end()) {
        windows.push_back(window);
      }
    }
  }
  return windows;
}

void resample(std::span<const float> image,
              int64_t width,
              int64_t height,
              const CropWindow& window,
              int64_t out_width,
              int64_t out_height,
              std::vector<float>& out) {
  VOXLOOM_CHECK(width > 0 && height > 0 && out_width > 0 && out_height > 0 && window.width > 0 &&
                    window.height > 0 && static_cast<int64_t>(image.size()) == width * height,
                ErrorCode::kInvalidArgument,
                "crop: image, window and crop must have pixels, got {} x {}, {} x {} and {} x {}",
                width,
                height,
                window.width,
                window.height,
                out_width,
                out_height);
  const Taps tx = make_taps(window.x, window.width, out_width, width);
  const Taps ty = make_taps(window.y, window.height, out_height, height);
  out.assign(static_cast<size_t>(out_width * out_height), 0.0F);
  // Rows of the image that several output rows need are resampled along x once.
  const auto [lowest, highest] = std::minmax_element(ty.pixel.begin(), ty.pixel.end());
  const int64_t first_row = *lowest;
  std::vector<float> rows(static_cast<size_t>((*highest - first_row + 1) * out_width));
  for (int64_t y = first_row; y <= *highest; ++y) {
    const float* source = image.data() + y * width;
    float* row = rows.data() + (y - first_row) * out_width;
    for (int64_t x = 0; x < out_width; ++x) {
      float sum = 0.0F;
      for (auto k = static_cast<size_t>(tx.first[static_cast<size_t>(x)]);
           k < static_cast<size_t>(tx.first[static_cast<size_t>(x) + 1]);
           ++k) {
        sum += tx.weight[k] * source[tx.pixel[k]];
      }
      row[x] = sum;
    }
  }
  for (int64_t y = 0; y < out_height; ++y) {
    float* row = out.data() + y * out_width;
    for (auto k = static_cast<size_t>(ty.first[static_cast<size_t>(y)]);
         k < static_cast<size_t>(ty.first[static_cast<size_t>(y) + 1]);
         ++k) {
      const float* source = rows.data() + (ty.pixel[k] - first_row) * out_width;
      const float weight = ty.weight[k];
      for (int64_t x = 0; x < out_width; ++x) row[x] += weight * source[x];
    }
  }
}

void paste_maximum(std::span<const float> crop,
                   int64_t side,
                   const CropWindow& window,
                   int64_t width,
                   int64_t height,
                   std::vector<float>& image) {
  VOXLOOM_CHECK(static_cast<int64_t>(crop.size()) == side * side && side > 0 &&
                    static_cast<int64_t>(image.size()) == width * height,
                ErrorCode::kInvalidArgument,
                "crop: must have {} x {} values for an image of {} x {}, got {} and {}",
                side,
                side,
                width,
                height,
                crop.size(),
                image.size());
  struct Place {
    int64_t low, high;
    float share;
  };
  const auto place = [&](int64_t at, int64_t start, int64_t length) {
    const double u = (static_cast<double>(at - start) + 0.5) * static_cast<double>(side) /
                         static_cast<double>(length) -
                     0.5;
    const double floor = std::floor(u);
    const auto low = static_cast<int64_t>(floor);
    return Place{std::clamp<int64_t>(low, 0, side - 1),
                 std::clamp<int64_t>(low + 1, 0, side - 1),
                 static_cast<float>(u - floor)};
  };
  const int64_t x0 = std::max<int64_t>(window.x, 0), x1 = std::min(window.x + window.width, width);
  const int64_t y0 = std::max<int64_t>(window.y, 0),
                y1 = std::min(window.y + window.height, height);
  std::vector<Place> columns;
  for (int64_t x = x0; x < x1; ++x) columns.push_back(place(x, window.x, window.width));
  for (int64_t y = y0; y < y1; ++y) {
    const Place row = place(y, window.y, window.height);
    const float* above = crop.data() + row.low * side;
    const float* below = crop.data() + row.high * side;
    float* target = image.data() + y * width;
    for (int64_t x = x0; x < x1; ++x) {
      const Place& c = columns[static_cast<size_t>(x - x0)];
      const float top = above[c.low] + c.share * (above[c.high] - above[c.low]);
      const float bottom = below[c.low] + c.share * (below[c.high] - below[c.low]);
      target[x] = std::max(target[x], top + row.share * (bottom - top));
    }
  }
}

}  // namespace voxloom::infer
