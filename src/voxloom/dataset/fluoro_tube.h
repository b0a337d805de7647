#pragma once

#include <cstdint>
#include <vector>

#include "voxloom/dataset/fluoro_curve.h"
#include "voxloom/dataset/fluoro_plane.h"

namespace voxloom::dataset {

/// Optical depth (attenuation times path length) of a round tube over the distance from its axis:
/// the chord 2 sqrt(r^2 - d^2), averaged over the width of a pixel and, where asked for, blurred. A
/// thin wire has to be blurred before it is sampled: a kernel of three taps can't do it.
class FluoroTubeProfile {
 public:
  struct Shape {
    double radius = 1.0;   ///< px
    double mu = 0.1;       ///< 1/px
    double core = 0.0;     ///< Radius of the core, px; 0: none.
    double core_mu = 0.0;  ///< 1/px
    double blur = 0.0;     ///< Standard deviation, px.
  };
  explicit FluoroTubeProfile(const Shape& shape);

  [[nodiscard]] float at(float distance) const {
    const float place = distance * inverse_step_;
    const auto i = static_cast<size_t>(place);
    if (i + 1 >= table_.size()) return 0.0F;
    const float f = place - static_cast<float>(i);
    return table_[i] + f * (table_[i + 1] - table_[i]);
  }
  [[nodiscard]] float radius() const { return radius_; }
  /// Beyond it the depth is 0.
  [[nodiscard]] float reach() const { return reach_; }

 private:
  float radius_, reach_, inverse_step_;
  std::vector<float> table_;
};

/// A polyline in pixels with the profile's scale and attenuation factor at every vertex; empty
/// lists stand for ones.
struct FluoroStroke {
  FluoroCurve points;
  std::vector<float> scales, gains;
};

/// Paints tubes. Path lengths of crossing strands add up, also of one tube with itself; along one
/// strand the nearest point of the axis counts. Keeps working memory for one image size.
class FluoroTubePainter {
 public:
  FluoroTubePainter(int64_t width, int64_t height);

  /// What a tube does to one pixel.
  struct Hit {
    int64_t pixel;
    float depth;
    bool inside;  ///< Label rule: centre of the pixel within max(radius, 0.75 px) of the axis.
  };
  /// Valid until the next call.
  const std::vector<Hit>& paint(const FluoroStroke& stroke, const FluoroTubeProfile& profile);

 private:
  struct Cell {
    uint32_t stamp = 0;
    float nearest = 0.0F, gain = 0.0F, arc = 0.0F, depth = 0.0F;
    bool inside = false;
  };
  void paint_segment(const FluoroStroke& stroke,
                     const FluoroTubeProfile& profile,
                     size_t i,
                     double arc);

  int64_t width_, height_;
  uint32_t stamp_ = 0;
  std::vector<Cell> cells_;
  std::vector<int64_t> touched_;
  std::vector<Hit> hits_;
};

/// Distance that the label rule allows, in pixels.
inline constexpr double kFluoroLabelDistancePx = 0.75;

}  // namespace voxloom::dataset
