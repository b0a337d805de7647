#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace voxloom::metrics {

/// Distance, in pixels, from each pixel of `from` (in memory order) to the nearest pixel of `to`;
/// infinite when `to` is empty. Exact, between pixel centres. Both masks are [height, width],
/// anything but 0 is inside. Works on the box that holds both.
/// Throws kInvalidArgument for wrong lengths.
[[nodiscard]] std::vector<double> pixel_distances(std::span<const uint8_t> from,
                                                  std::span<const uint8_t> to,
                                                  int64_t width,
                                                  int64_t height);

/// Two sets of pixels against each other, at a tolerance: the share of predicted pixels within
/// `radius` of a true one, the share of true pixels within `radius` of a predicted one, and their
/// harmonic mean. Two empty sets: 1; one empty: 0.
struct ToleranceScore {
  double precision = 0.0, recall = 0.0, f1 = 0.0;
};

/// What two sets of pixels (surfaces, or centre lines) are apart. In pixels; multiply by the pixel
/// spacing for mm.
///
/// Two empty sets are 0 apart. When one alone is empty, every distance is the image diagonal
/// (between the centres of opposite corner pixels) and `one_empty` says so.
struct PixelSetDistances {
  std::vector<double> from_truth;      ///< Ascending; to the nearest predicted pixel.
  std::vector<double> from_predicted;  ///< Ascending; to the nearest true pixel.
  double diagonal = 0.0;
  bool one_empty = false;

  enum class Percentile {
    kLargerOfDirected,  ///< The larger of both directions' percentiles. The primary one.
    kPooled,            ///< Percentile of all distances together.
  };
  enum class Average {
    kPooled,          ///< Mean of all distances together. The primary one.
    kMeanOfDirected,  ///< Mean of both directions' means.
  };

  /// The largest distance.
  [[nodiscard]] double hausdorff() const;
  /// Linear interpolation between order statistics.
  [[nodiscard]] double hausdorff95(Percentile rule = Percentile::kLargerOfDirected) const;
  [[nodiscard]] double average(Average rule = Average::kPooled) const;
  [[nodiscard]] double mean_from_truth() const;
  [[nodiscard]] double mean_from_predicted() const;
  [[nodiscard]] ToleranceScore within(double radius) const;
};

/// truth, predicted: pixels of two lines, [height, width]. Throws as pixel_distances().
[[nodiscard]] PixelSetDistances compare_pixel_sets(std::span<const uint8_t> truth,
                                                   std::span<const uint8_t> predicted,
                                                   int64_t width,
                                                   int64_t height);

/// 1 on mask pixels that have a side neighbour (4-neighbour) outside the mask; what lies beyond the
/// image counts as outside. The surface of the boundary metrics.
[[nodiscard]] std::vector<uint8_t> surface_pixels(std::span<const uint8_t> mask,
                                                  int64_t width,
                                                  int64_t height);

/// compare_pixel_sets() of both masks' surfaces.
[[nodiscard]] PixelSetDistances surface_pixel_distances(std::span<const uint8_t> truth,
                                                        std::span<const uint8_t> predicted,
                                                        int64_t width,
                                                        int64_t height);

}  // namespace voxloom::metrics
