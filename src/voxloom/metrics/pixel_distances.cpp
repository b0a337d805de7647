#include "voxloom/metrics/pixel_distances.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "voxloom/core/error.h"
#include "voxloom/image/distance.h"
#include "voxloom/metrics/bootstrap.h"

namespace voxloom::metrics {
namespace {

void check_length(size_t length, int64_t width, int64_t height) {
  VOXLOOM_CHECK(width > 0 && height > 0 && length == static_cast<size_t>(width * height),
                ErrorCode::kInvalidArgument,
                "distances: mask must hold {}x{} pixels, got {}",
                width,
                height,
                length);
}

/// Rows and columns that hold pixels; both ends inside, empty when x1 < x0.
struct Box {
  int64_t x0 = std::numeric_limits<int64_t>::max(), y0 = x0, x1 = -1, y1 = -1;

  void take(std::span<const uint8_t> mask, int64_t width, int64_t height) {
    for (int64_t y = 0; y < height; ++y) {
      const auto row = mask.subspan(static_cast<size_t>(y * width), static_cast<size_t>(width));
      const auto inside = [](uint8_t v) { return v != 0; };
      const auto first = std::find_if(row.begin(), row.end(), inside);
      if (first == row.end()) continue;
      const auto last = std::find_if(row.rbegin(), row.rend(), inside);
      x0 = std::min<int64_t>(x0, first - row.begin());
      x1 = std::max<int64_t>(x1, width - 1 - (last - row.rbegin()));
      y0 = std::min(y0, y);
      y1 = std::max(y1, y);
    }
  }
};

double mean_or(const std::vector<double>& values, double otherwise) {
  return values.empty() ? otherwise : mean(values);
}

double share_within(const std::vector<double>& ascending, double radius) {
  const auto end = std::upper_bound(ascending.begin(), ascending.end(), radius);
  return static_cast<double>(end - ascending.begin()) / static_cast<double>(ascending.size());
}

}  // namespace

std::vector<double> pixel_distances(std::span<const uint8_t> from,
                                    std::span<const uint8_t> to,
                                    int64_t width,
                                    int64_t height) {
  check_length(from.size(), width, height);
  check_length(to.size(), width, height);
  Box box;
  box.take(to, width, height);
  box.take(from, width, height);
  std::vector<double> out;
  if (box.x1 < box.x0) return out;
  const int64_t w = box.x1 - box.x0 + 1, h = box.y1 - box.y0 + 1;
  std::vector<uint8_t> cut(static_cast<size_t>(w * h));
  for (int64_t y = 0; y < h; ++y) {
    std::copy_n(to.begin() + (box.y0 + y) * width + box.x0, w, cut.begin() + y * w);
  }
  // Squares of whole numbers below 2^24 are exact as float; the root is taken as double.
  const auto squared = image::squared_distance_to(cut, {w, h, 1}, {1.0, 1.0, 1.0});
  for (int64_t y = 0; y < h; ++y) {
    for (int64_t x = 0; x < w; ++x) {
      if (from[static_cast<size_t>((box.y0 + y) * width + box.x0 + x)] == 0) continue;
      out.push_back(std::sqrt(static_cast<double>(squared[static_cast<size_t>(y * w + x)])));
    }
  }
  return out;
}

double PixelSetDistances::hausdorff() const {
  if (one_empty) return diagonal;
  return from_truth.empty() ? 0.0 : std::max(from_truth.back(), from_predicted.back());
}

double PixelSetDistances::hausdorff95(Percentile rule) const {
  if (one_empty) return diagonal;
  if (from_truth.empty()) return 0.0;
  if (rule == Percentile::kLargerOfDirected) {
    return std::max(quantile(from_truth, 0.95), quantile(from_predicted, 0.95));
  }
  std::vector<double> all = from_truth;
  all.insert(all.end(), from_predicted.begin(), from_predicted.end());
  return quantile(all, 0.95);
}

double PixelSetDistances::average(Average rule) const {
  if (one_empty) return diagonal;
  if (from_truth.empty()) return 0.0;
  const double a = mean(from_truth), b = mean(from_predicted);
  if (rule == Average::kMeanOfDirected) return 0.5 * (a + b);
  const auto n = static_cast<double>(from_truth.size());
  const auto m = static_cast<double>(from_predicted.size());
  return (a * n + b * m) / (n + m);
}

double PixelSetDistances::mean_from_truth() const {
  return one_empty ? diagonal : mean_or(from_truth, 0.0);
}

double PixelSetDistances::mean_from_predicted() const {
  return one_empty ? diagonal : mean_or(from_predicted, 0.0);
}

ToleranceScore PixelSetDistances::within(double radius) const {
  if (one_empty) return {};
  if (from_truth.empty()) return {1.0, 1.0, 1.0};
  ToleranceScore score{share_within(from_predicted, radius), share_within(from_truth, radius), 0.0};
  const double sum = score.precision + score.recall;
  if (sum > 0) score.f1 = 2.0 * score.precision * score.recall / sum;
  return score;
}

PixelSetDistances compare_pixel_sets(std::span<const uint8_t> truth,
                                     std::span<const uint8_t> predicted,
                                     int64_t width,
                                     int64_t height) {
  PixelSetDistances out;
  out.from_truth = pixel_distances(truth, predicted, width, height);
  out.from_predicted = pixel_distances(predicted, truth, width, height);
  out.diagonal = std::hypot(static_cast<double>(width - 1), static_cast<double>(height - 1));
  out.one_empty = out.from_truth.empty() != out.from_predicted.empty();
  if (out.one_empty) {
    for (auto* side : {&out.from_truth, &out.from_predicted}) {
      std::fill(side->begin(), side->end(), out.diagonal);
    }
  }
  std::sort(out.from_truth.begin(), out.from_truth.end());
  std::sort(out.from_predicted.begin(), out.from_predicted.end());
  return out;
}

std::vector<uint8_t> surface_pixels(std::span<const uint8_t> mask, int64_t width, int64_t height) {
  check_length(mask.size(), width, height);
  std::vector<uint8_t> out(mask.size(), 0);
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      const auto i = static_cast<size_t>(y * width + x);
      if (mask[i] == 0) continue;
      const auto w = static_cast<size_t>(width);
      out[i] = x == 0 || y == 0 || x == width - 1 || y == height - 1 || mask[i - 1] == 0 ||
               mask[i + 1] == 0 || mask[i - w] == 0 || mask[i + w] == 0;
    }
  }
  return out;
}

PixelSetDistances surface_pixel_distances(std::span<const uint8_t> truth,
                                          std::span<const uint8_t> predicted,
                                          int64_t width,
                                          int64_t height) {
  return compare_pixel_sets(surface_pixels(truth, width, height),
                            surface_pixels(predicted, width, height),
                            width,
                            height);
}

}  // namespace voxloom::metrics
