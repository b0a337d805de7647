#include "voxloom/metrics/image_quality.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "voxloom/core/error.h"
#include "voxloom/image/distance.h"

namespace voxloom::metrics {
namespace {

constexpr double kRingFrom2 = 3.0 * 3.0, kRingTo2 = 10.0 * 10.0;
constexpr int64_t kReach = 3;  // Of the 7x7 surround.

void check_length(size_t length, int64_t width, int64_t height, const char* what) {
  VOXLOOM_CHECK(width > 0 && height > 0 && length == static_cast<size_t>(width * height),
                ErrorCode::kInvalidArgument,
                "image quality: {} must hold {}x{} pixels, got {}",
                what,
                width,
                height,
                length);
}

// 0 ... 255; NaN counts as black.
double grey(float value) {
  return value > 0 ? std::min(255.0 * static_cast<double>(value), 255.0) : 0.0;
}

/// Sums over rectangles in constant time.
class SumTable {
 public:
  SumTable(std::span<const float> image, int64_t width, int64_t height)
      : stride_(width + 1), sums_(static_cast<size_t>((width + 1) * (height + 1)), 0.0) {
    for (int64_t y = 0; y < height; ++y) {
      double row = 0.0;
      for (int64_t x = 0; x < width; ++x) {
        row += static_cast<double>(image[static_cast<size_t>(y * width + x)]);
        sums_[index(x + 1, y + 1)] = sums_[index(x + 1, y)] + row;
      }
    }
  }
  /// Of the pixels within `reach` of (x, y) along both axes.
  [[nodiscard]] double around(int64_t x, int64_t y, int64_t reach) const {
    return sums_[index(x + reach + 1, y + reach + 1)] - sums_[index(x - reach, y + reach + 1)] -
           sums_[index(x + reach + 1, y - reach)] + sums_[index(x - reach, y - reach)];
  }

 private:
  [[nodiscard]] size_t index(int64_t x, int64_t y) const {
    return static_cast<size_t>(y * stride_ + x);
  }
  int64_t stride_;
  std::vector<double> sums_;
};

double local_contrast(const SumTable& sums, int64_t x, int64_t y) {
  const double centre = sums.around(x, y, 1);
  const double p = centre / 9.0, a = (sums.around(x, y, kReach) - centre) / 40.0;
  return p + a == 0.0 ? 0.0 : std::abs(p - a) / std::abs(p + a);
}

}  // namespace

std::optional<double> RingContrast::cnr() const {
  if (background_std == 0.0) return std::nullopt;
  return std::abs(object_mean - background_mean) / background_std;
}

std::optional<double> RingContrast::michelson() const {
  const double sum = object_mean + background_mean;
  if (!(sum > 0.0)) return std::nullopt;
  return std::abs(object_mean - background_mean) / sum;
}

std::optional<RingContrast> ring_contrast(std::span<const float> image,
                                          int64_t width,
                                          int64_t height,
                                          std::span<const uint8_t> object,
                                          std::span<const uint8_t> exclude) {
  check_length(image.size(), width, height, "image");
  check_length(object.size(), width, height, "object mask");
  if (!exclude.empty()) check_length(exclude.size(), width, height, "mask to exclude");
  const auto squared = image::squared_distance_to(object, {width, height, 1}, {1.0, 1.0, 1.0});
  RingContrast out;
  const auto part_of = [&](size_t i) {  // 1 object, 2 ring.
    if (object[i] != 0) return 1;
    const auto d = static_cast<double>(squared[i]);
    return d >= kRingFrom2 && d <= kRingTo2 && (exclude.empty() || exclude[i] == 0) ? 2 : 0;
  };
  for (size_t i = 0; i < image.size(); ++i) {
    const int part = part_of(i);
    if (part == 1) {
      ++out.object_pixels;
      out.object_mean += static_cast<double>(image[i]);
    } else if (part == 2) {
      ++out.background_pixels;
      out.background_mean += static_cast<double>(image[i]);
    }
  }
  if (out.object_pixels == 0 || out.background_pixels == 0) return std::nullopt;
  out.object_mean /= static_cast<double>(out.object_pixels);
  out.background_mean /= static_cast<double>(out.background_pixels);
  double squares = 0.0;
  for (size_t i = 0; i < image.size(); ++i) {
    if (part_of(i) != 2) continue;
    const double d = static_cast<double>(image[i]) - out.background_mean;
    squares += d * d;
  }
  out.background_std = std::sqrt(squares / static_cast<double>(out.background_pixels));
  return out;
}

std::optional<double> contrast_improvement_index(std::span<const float> original,
                                                 std::span<const float> processed,
                                                 int64_t width,
                                                 int64_t height,
                                                 std::span<const uint8_t> object,
                                                 std::span<const uint8_t> exclude) {
  const auto before = ring_contrast(original, width, height, object, exclude);
  const auto after = ring_contrast(processed, width, height, object, exclude);
  if (!before || !after) return std::nullopt;
  const auto a = before->michelson(), b = after->michelson();
  if (!a || !b || *a == 0.0) return std::nullopt;
  return *b / *a;
}

std::optional<double> contrast_improvement_ratio(std::span<const float> original,
                                                 std::span<const float> processed,
                                                 int64_t width,
                                                 int64_t height,
                                                 std::span<const uint8_t> region) {
  check_length(original.size(), width, height, "original");
  check_length(processed.size(), width, height, "processed image");
  if (!region.empty()) check_length(region.size(), width, height, "region");
  const SumTable before(original, width, height), after(processed, width, height);
  double change = 0.0, whole = 0.0;
  for (int64_t y = kReach; y < height - kReach; ++y) {
    for (int64_t x = kReach; x < width - kReach; ++x) {
      if (!region.empty() && region[static_cast<size_t>(y * width + x)] == 0) continue;
      const double w = local_contrast(before, x, y), v = local_contrast(after, x, y);
      change += (w - v) * (w - v);
      whole += w * w;
    }
  }
  if (whole == 0.0) return std::nullopt;
  return change / whole;
}

double enhancement_measure(std::span<const float> image,
                           int64_t width,
                           int64_t height,
                           int64_t blocks) {
  check_length(image.size(), width, height, "image");
  VOXLOOM_CHECK(blocks > 0 && blocks <= std::min(width, height),
                ErrorCode::kInvalidArgument,
                "image quality: blocks must lie within 1 ... {}, got {}",
                std::min(width, height),
                blocks);
  double sum = 0.0;
  for (int64_t v = 0; v < blocks; ++v) {
    for (int64_t u = 0; u < blocks; ++u) {
      double lo = std::numeric_limits<double>::infinity(), hi = -lo;
      for (int64_t y = v * height / blocks; y < (v + 1) * height / blocks; ++y) {
        for (int64_t x = u * width / blocks; x < (u + 1) * width / blocks; ++x) {
          const double g = grey(image[static_cast<size_t>(y * width + x)]);
          lo = std::min(lo, g);
          hi = std::max(hi, g);
        }
      }
      sum += 20.0 * std::log10((hi + 1.0) / (lo + 1.0));
    }
  }
  return sum / static_cast<double>(blocks * blocks);
}

double grey_entropy(std::span<const float> image) {
  VOXLOOM_CHECK(!image.empty(),
                ErrorCode::kInvalidArgument,
                "image quality: entropy needs a pixel, got none");
  std::array<int64_t, 256> histogram{};
  for (const float value : image) ++histogram[static_cast<size_t>(std::lround(grey(value)))];
  double bits = 0.0;
  for (const int64_t n : histogram) {
    if (n == 0) continue;
    const double p = static_cast<double>(n) / static_cast<double>(image.size());
    bits -= p * std::log2(p);
  }
  return bits;
}

double noise_std(std::span<const float> image, int64_t width, int64_t height) {
  check_length(image.size(), width, height, "image");
  VOXLOOM_CHECK(width >= 3 && height >= 3,
                ErrorCode::kInvalidArgument,
                "image quality: noise needs an image of 3x3 or more, got {}x{}",
                width,
                height);
  std::vector<double> response;
  response.reserve(image.size());
  const auto at = [&](int64_t x, int64_t y) {
    return static_cast<double>(image[static_cast<size_t>(y * width + x)]);
  };
  const auto second = [&](int64_t x, int64_t y) {
    return at(x - 1, y) - 2.0 * at(x, y) + at(x + 1, y);
  };
  for (int64_t y = 1; y + 1 < height; ++y) {
    for (int64_t x = 1; x + 1 < width; ++x) {
      response.push_back(std::abs(second(x, y - 1) - 2.0 * second(x, y) + second(x, y + 1)));
    }
  }
  // The mean of the two in the middle when their number is even.
  const auto middle = response.begin() + static_cast<int64_t>(response.size() / 2);
  std::nth_element(response.begin(), middle, response.end());
  double median = *middle;
  if (response.size() % 2 == 0)
    median = 0.5 * (median + *std::max_element(response.begin(), middle));
  return 1.4826 * median / 6.0;
}

}  // namespace voxloom::metrics
