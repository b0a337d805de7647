#pragma once

#include <vector>

#include "voxloom/dataset/fluoro_bones.h"
#include "voxloom/dataset/fluoro_motion.h"
#include "voxloom/dataset/fluoro_plane.h"

namespace voxloom::dataset {

/// The patient without devices: optical depth (sum of attenuation times path length) along the ray
/// of every pixel, at any time. Soft tissue, lungs, heart and diaphragm are smooth fields evaluated
/// on every fourth pixel; bones and lung vessels are layers painted once.
class FluoroAnatomy {
 public:
  FluoroAnatomy(const FluoroParameters& parameters,
                int64_t size,
                const FluoroMotion& motion,
                Rng& rng);

  /// depth [size, size] is overwritten.
  void render(const FluoroMotion& motion, double time_s, FluoroPlane& depth) const;

  [[nodiscard]] const FluoroSpine& spine() const { return spine_; }

 private:
  [[nodiscard]] double heart_share(FluoroPoint at, FluoroPoint centre, double contraction) const;
  [[nodiscard]] double liver_share(FluoroPoint at, double shift) const;
  void make_smooth_fields(Rng& rng);
  void make_layers(Rng& rng);

  FluoroParameters p_;
  int64_t size_, margin_;
  FluoroHeart heart_;
  FluoroSpine spine_;
  double dome_y_, dome_x_left_, dome_x_right_, dome_radius_, dome_step_, egg_;
  FluoroPlane body_;    ///< Coarse: soft tissue.
  FluoroPlane lung_;    ///< Coarse: depth that air takes away.
  FluoroPlane fixed_;   ///< Spine and mottle.
  FluoroPlane moving_;  ///< Ribs and lung vessels, `margin_` rows and columns more on each side.
};

}  // namespace voxloom::dataset
