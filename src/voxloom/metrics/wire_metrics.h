#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "voxloom/image/skeleton.h"
#include "voxloom/metrics/centerline.h"
#include "voxloom/metrics/pixel_distances.h"
#include "voxloom/metrics/pixels.h"
#include "voxloom/metrics/tip.h"
#include "voxloom/metrics/topology.h"

namespace voxloom::metrics {

struct WireMetricsOptions {
  image::Thinning thinning = image::Thinning::kGuoHall;   ///< Of every skeleton.
  std::vector<double> radii_px{0.0, 1.0, 2.0, 3.0, 4.0};  ///< Of tolerance scores.
  std::vector<double> radii_mm{0.5, 1.0};                 ///< Used where the pixel size is known.
};

/// One frame with its truth. Masks are [height, width], anything but 0 is inside; a probability map
/// becomes a mask by threshold_mask().
struct WireCase {
  int64_t width = 0, height = 0;
  std::span<const uint8_t> truth, predicted;
  /// Pixels that count for nothing; empty: none. They are background in both masks before surfaces,
  /// skeletons and topology are made.
  std::span<const uint8_t> ignore{};
  /// The true centre line as points (x, y); empty: the skeleton of the true mask.
  std::span<const std::array<double, 2>> truth_line{};
  Tip truth_tip{}, predicted_tip{};
  double pixel_mm = 0.0;  ///< Pixel edge; 0: unknown.
};

/// Everything that is measured of one frame. Distances are in pixels, and in mm too in values()
/// where the pixel size is known.
///
/// When one mask alone is empty, distances are the image diagonal and `one_empty` is set.
struct WireMetrics {
  /// Tolerance scores at one radius.
  struct Tolerance {
    std::string radius;  ///< "2px" or "0.5mm".
    ToleranceScore surface;
    ToleranceScore line;  ///< True centre line against the predicted skeleton.
  };

  PixelCounts pixels;
  bool truth_empty = false, predicted_empty = false;
  [[nodiscard]] bool one_empty() const { return truth_empty != predicted_empty; }
  [[nodiscard]] bool both_empty() const { return truth_empty && predicted_empty; }

  double hausdorff_px = 0.0;
  double hausdorff95_px = 0.0, hausdorff95_pooled_px = 0.0;  ///< Larger of directed; pooled.
  double assd_px = 0.0, assd_directed_px = 0.0;              ///< Pooled mean; mean of means.
  std::vector<Tolerance> tolerance;

  ClDice cldice;
  double line_to_truth_px = 0.0;  ///< Mean distance from the predicted skeleton to the true line.
  double truth_to_line_px = 0.0;  ///< And back.
  double line_px = 0.0;           ///< Mean of the two.
  double line_max_px = 0.0;

  Betti truth_betti, predicted_betti;
  int64_t breaks = 0, spurious = 0;

  Tip truth_tip, predicted_tip;
  double davis_f = 0.0;

  double pixel_mm = 0.0;
  image::Thinning thinning = image::Thinning::kGuoHall;

  /// A number with its name; absent where it is not defined (a tip error without a tip).
  struct Value {
    std::string name;
    std::optional<double> value;
  };
  /// All numbers, in one order: this is what tables and reports show. Names end in _px or _mm where
  /// they have a unit.
  [[nodiscard]] std::vector<Value> values() const;

  /// {name: number or null, ...} of values(), then counts, flags and "thinning".
  [[nodiscard]] nlohmann::ordered_json to_json() const;
};

/// Throws kInvalidArgument for masks of another size than width x height, a pixel size that is
/// negative or not finite, and as draw_curve().
[[nodiscard]] WireMetrics measure_wire(const WireCase& wire_case,
                                       const WireMetricsOptions& options = {});

}  // namespace voxloom::metrics
