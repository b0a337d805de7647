#pragma once

#include "voxloom/core/random.h"
#include "voxloom/data/warp.h"

namespace voxloom::data {

/// Dark smooth curves that carry no label: rib edges, sternal wires, leads. One to three.
void add_distractor_curves(Plane& plane, Rng& rng);

/// One to three gaps of 3 to 12 px along the labelled objects: the image there is filled from
/// beside the object, the label stays. Teaches to bridge.
void erase_gaps(Example& example, Rng& rng);

/// Things on the patient: an ECG lead with its ring electrode, or one to three screws.
void add_leads_or_screws(Plane& plane, Rng& rng);

/// One to four blocks of letters, black or white, as a display burns them in.
void add_text(Plane& plane, Rng& rng);

/// The collimator: 0 to 15 % of each side, or what lies outside a circle of 0.9 to 1.0 of half the
/// side, falls to 0 to 0.03. What of an object lies there can't be seen any more and is ignored.
void add_collimator(Example& example, Rng& rng);

/// Darkens pixels along a Bezier curve with control points in px. `depth` is the share of the light
/// that the middle of a line of `width` px takes away.
struct CurvePoint {
  double x = 0.0, y = 0.0;
};
void darken_curve(Plane& plane,
                  const std::array<CurvePoint, 4>& control,
                  double width,
                  double depth);

}  // namespace voxloom::data
