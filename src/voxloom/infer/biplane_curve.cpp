// From two centre lines to one curve in space, top-down in reconstruct_curve(): match, triangulate,
// first curve, fit to both images, what can be said about the result.
#include "voxloom/infer/biplane_curve.h"

#include <algorithm>
#include <cmath>

#include "voxloom/core/error.h"
#include "voxloom/infer/biplane_fit.h"
#include "voxloom/infer/vector3.h"

namespace voxloom::infer {
namespace {

constexpr double kShortestMm = 3.0, kLongestMm = 5000.0;
constexpr double kLeastShare = 0.2;  // Of the shorter centre line.
// Neighbouring points of a skeleton err alike: this many px count as one observation.
constexpr double kAlikePx = 3.0;
// Ends farther from each other's epipolar lines are not the same end.
constexpr double kSamePlaceSigma = 2.5;
// A first position is trusted as far as this where the curve crosses the epipolar lines squarely.
constexpr double kFirstStdMm = 0.3;
constexpr double kLeastWeight = 1e-4;

/// Positions of the matched pairs, and how well each is determined.
struct FirstPoints {
  std::vector<Vec3> positions;
  std::vector<double> weights;
  std::vector<double> u;  ///< Length along the curve, mm.
};

Point2 direction_at(const std::vector<Point2>& points, size_t i) {
  const size_t from = i >= 3 ? i - 3 : 0, to = std::min(points.size() - 1, i + 3);
  const double dx = points[to][0] - points[from][0], dy = points[to][1] - points[from][1];
  const double d = std::hypot(dx, dy);
  return d > 0.0 ? Point2{dx / d, dy / d} : Point2{0.0, 0.0};
}

double path_between(const std::vector<Point2>& points, size_t from, size_t to) {
  return path_length(std::span(points).subspan(from, to - from + 1));
}

double mm_per_px(const Projection& view, const Vec3& position) {
  const auto rows = view.jacobian(position);
  return std::sqrt(2.0 / (dot(rows[0], rows[0]) + dot(rows[1], rows[1])));
}

FirstPoints triangulate_pairs(const BiplaneRig& rig,
                              const std::array<const ViewCurve*, 2>& curves,
                              const std::vector<CurvePair>& pairs) {
  FirstPoints first;
  for (const auto& pair : pairs) {
    const std::array<size_t, 2> index{pair.a, pair.b};
    const std::array<Point2, 2> pixel{curves[0]->points[pair.a], curves[1]->points[pair.b]};
    const Vec3 position = rig.triangulate(pixel[0], pixel[1]).position;
    // A curve along the epipolar line could be met anywhere on it.
    double crossing = 1.0;
    for (size_t v = 0; v < 2; ++v) {
      const Vec3 line = rig.epipolar_line(v, pixel[1 - v]);
      const Point2 t = direction_at(curves[v]->points, index[v]);
      crossing = std::min(crossing, std::abs(t[0] * line[0] + t[1] * line[1]));
    }
    double u = 0.0;
    if (!first.u.empty()) {
      const auto& before = pairs[first.u.size() - 1];
      // A view sees at most the true length.
      u = first.u.back() +
          std::max(
              path_between(curves[0]->points, before.a, pair.a) * mm_per_px(rig.view(0), position),
              path_between(curves[1]->points, before.b, pair.b) * mm_per_px(rig.view(1), position));
    }
    first.positions.push_back(position);
    first.weights.push_back(kLeastWeight + crossing * crossing);
    first.u.push_back(u);
  }
  return first;
}

/// A smooth curve through the pairs over its own length; `first.u` is changed to that length.
/// Nothing when it is longer than any wire (or not finite): calibration and lines don't fit.
std::optional<CubicSpline<3>> first_curve(FirstPoints& first, const BiplaneOptions& options) {
  const double bend = options.knot_mm * options.knot_mm / options.bend_radius_mm;
  const double smoothing = kFirstStdMm * kFirstStdMm / (bend * bend);
  CubicSpline<3> curve;
  for (int round = 0; round < 3; ++round) {
    if (!(first.u.back() <= kLongestMm)) return std::nullopt;
    curve =
        CubicSpline<3>::fit(first.positions, first.u, first.weights, options.knot_mm, smoothing);
    if (round == 2) break;
    // The length of the curve instead of what the images told.
    const double total = curve.length_parameter(), step = 0.25;
    const auto count = static_cast<size_t>(std::ceil(total / step));
    std::vector<double> length(count + 1, 0.0);
    Vec3 last = curve.at(0.0);
    for (size_t i = 1; i <= count; ++i) {
      const Vec3 next = curve.at(total * static_cast<double>(i) / static_cast<double>(count));
      length[i] = length[i - 1] + norm(add(next, last, -1.0));
      last = next;
    }
    for (double& u : first.u) {
      const double place = std::clamp(u / total, 0.0, 1.0) * static_cast<double>(count);
      const auto below = std::min(static_cast<size_t>(place), count - 1);
      const double t = place - static_cast<double>(below);
      u = length[below] + t * (length[below + 1] - length[below]);
    }
  }
  return curve;
}

/// All seen points between the first and the last pair, with a first guess of their place.
void observe(size_t view,
             const ViewCurve& curve,
             const std::vector<CurvePair>& pairs,
             const std::vector<double>& u,
             std::vector<CurveObservation>& observations) {
  const auto index_of = [&](const CurvePair& pair) { return view == 0 ? pair.a : pair.b; };
  size_t k = 0;
  const size_t from = index_of(pairs.front()), to = index_of(pairs.back());
  for (size_t i = from; i <= to; ++i) {
    while (k + 1 < pairs.size() && index_of(pairs[k + 1]) < i) ++k;
    if (curve.seen[i] == 0) continue;
    double guess = u[k];
    if (k + 1 < pairs.size() && index_of(pairs[k + 1]) > index_of(pairs[k])) {
      const double t = static_cast<double>(i - index_of(pairs[k])) /
                       static_cast<double>(index_of(pairs[k + 1]) - index_of(pairs[k]));
      guess += std::clamp(t, 0.0, 1.0) * (u[k + 1] - u[k]);
    }
    const double spacing = i > from ? std::hypot(curve.points[i][0] - curve.points[i - 1][0],
                                                 curve.points[i][1] - curve.points[i - 1][1])
                                    : 1.0;
    observations.push_back({.view = view,
                            .pixel = curve.points[i],
                            .u = guess,
                            .weight = std::clamp(spacing / kAlikePx, 0.01, 1.0)});
  }
}

bool is_end(const ViewCurve& curve, size_t index, size_t end, double within_px) {
  const size_t from = std::min(index, end), to = std::max(index, end);
  return curve.seen[end] != 0 && path_between(curve.points, from, to) <= within_px;
}

/// Ends that both views show belong to each other, and to the end of the curve.
void pin(const std::array<const ViewCurve*, 2>& curves,
         bool front,
         double u,
         std::vector<CurveObservation>& observations) {
  for (size_t v = 0; v < 2; ++v) {
    const auto& points = curves[v]->points;
    observations.push_back({.view = v,
                            .pixel = front ? points.front() : points.back(),
                            .u = u,
                            .weight = 1.0,
                            .pinned = true});
  }
}

Reprojection reprojection_of(const BiplaneRig& rig,
                             size_t view,
                             const CubicSpline<3>& curve,
                             const std::vector<CurveObservation>& observations) {
  std::vector<double> distances;
  double sum = 0.0;
  for (const auto& seen : observations) {
    if (seen.view != view) continue;
    const Point2 pixel = rig.view(view).project(curve.at(seen.u));
    distances.push_back(std::hypot(pixel[0] - seen.pixel[0], pixel[1] - seen.pixel[1]));
    sum += distances.back() * distances.back();
  }
  if (distances.empty()) return {};
  std::sort(distances.begin(), distances.end());
  return {.rms_px = std::sqrt(sum / static_cast<double>(distances.size())),
          .median_px = distances[distances.size() / 2],
          .max_px = distances.back(),
          .points = distances.size()};
}

void describe_points(BiplaneCurve& result,
                     const BandedSystem& normal,
                     const std::vector<CurveObservation>& observations) {
  const double length = result.spline.length_parameter();
  const auto count = static_cast<size_t>(std::max(1.0, std::round(length)));
  const double step = length / static_cast<double>(count);
  result.seen_in.assign(count + 1, 0);
  for (const auto& seen : observations) {
    const auto bit = static_cast<uint8_t>(seen.view == 0 ? 1 : 2);
    const double place = seen.u / step;
    for (const double near : {std::floor(place), std::ceil(place)}) {
      result.seen_in[std::min(static_cast<size_t>(near), count)] |= bit;
    }
  }
  for (size_t i = 0; i <= count; ++i) {
    const double u = step * static_cast<double>(i);
    result.points.push_back(result.spline.at(u));
    result.std_mm.push_back(curve_std_mm(result.spline, normal, u, Spread::kAcross));
    if (i > 0) {
      result.length_mm += norm(add(result.points[i], result.points[i - 1], -1.0));
    }
  }
  result.min_curvature_radius_mm = result.spline.min_curvature_radius();
}

BiplaneCurve nothing(std::string reason) {
  BiplaneCurve result;
  result.reason = std::move(reason);
  return result;
}

ViewCurve turned(const ViewCurve& curve) {
  return {.points = {curve.points.rbegin(), curve.points.rend()},
          .seen = {curve.seen.rbegin(), curve.seen.rend()}};
}

}  // namespace

void BiplaneOptions::visit(OptionList& list) {
  list.option("--sigma-px",
              sigma_px,
              "Expected error of the centre lines and of the calibration, in px.")
      .with_range(0.05, 50.0);
  list.option("--knot-mm", knot_mm, "Distance of the knots of the curve in space, in mm.")
      .with_range(0.5, 50.0);
  list.option("--bend-radius-mm",
              bend_radius_mm,
              "Typical radius of a bend in mm; tighter ones need evidence in the images.")
      .with_range(1.0, 1e4);
}

void BiplaneOptions::validate() const {
  VOXLOOM_CHECK(sigma_px > 0.0 && knot_mm > 0.0 && bend_radius_mm > 0.0,
                ErrorCode::kInvalidArgument,
                "--sigma-px, --knot-mm, --bend-radius-mm: must be above 0, got {}, {}, {}",
                sigma_px,
                knot_mm,
                bend_radius_mm);
}

BiplaneCurve reconstruct_curve(const BiplaneRig& rig,
                               const ViewCurve& a,
                               const ViewCurve& b,
                               const BiplaneOptions& options) {
  for (const ViewCurve* curve : {&a, &b}) {
    VOXLOOM_CHECK(curve->seen.size() == curve->points.size(),
                  ErrorCode::kInvalidArgument,
                  "biplane: needs a flag a point, got {} for {}",
                  curve->seen.size(),
                  curve->points.size());
  }
  auto match = match_curves(rig, a, b, options.sigma_px);
  const ViewCurve b_turned = turned(b);
  const auto other_way = match_curves(rig, a, b_turned, options.sigma_px);
  const bool reversed = !other_way.pairs.empty() &&
                        (match.pairs.empty() || other_way.cost < 0.7 * match.cost) &&
                        other_way.pairs.size() > match.pairs.size();
  if (reversed) match = other_way;
  const std::array<const ViewCurve*, 2> curves{&a, reversed ? &b_turned : &b};
  if (match.pairs.size() < 4) {
    return nothing("no part of one centre line lies on the epipolar lines of the other");
  }
  BiplaneCurve result{.found = true, .reversed = reversed};
  const auto &begin = match.pairs.front(), &end = match.pairs.back();
  result.used = {
      path_between(a.points, begin.a, end.a) / std::max(path_length(a.points), 1e-9),
      path_between(curves[1]->points, begin.b, end.b) / std::max(path_length(b.points), 1e-9)};
  if (std::max(result.used[0], result.used[1]) < kLeastShare) {
    return nothing(format("only {:.0f} and {:.0f} % of the centre lines fit to each other",
                          100.0 * result.used[0],
                          100.0 * result.used[1]));
  }
  double mismatch = 0.0;
  for (const auto& pair : match.pairs) {
    const double miss = rig.mismatch_px(a.points[pair.a], curves[1]->points[pair.b]);
    mismatch += miss * miss / static_cast<double>(match.pairs.size());
  }
  result.epipolar_px = std::sqrt(mismatch);

  auto first = triangulate_pairs(rig, curves, match.pairs);
  if (first.u.back() < kShortestMm) {
    return nothing(format("the common part is only {:.1f} mm long", first.u.back()));
  }
  const auto smooth = first_curve(first, options);
  if (!smooth) {
    return nothing(
        format("the matched points don't make a wire of at most {} mm; do calibration and "
               "views belong together?",
               kLongestMm));
  }
  result.spline = *smooth;
  std::vector<CurveObservation> observations;
  for (size_t v = 0; v < 2; ++v) observe(v, *curves[v], match.pairs, first.u, observations);
  // An end is where both lines end, no farther apart than thinning and noise explain.
  const double within_px = 5.0 + 3.0 * options.sigma_px;
  const std::array<size_t, 2> last{a.points.size() - 1, curves[1]->points.size() - 1};
  const bool a_ends = is_end(a, end.a, last[0], within_px);
  const bool b_ends = is_end(*curves[1], end.b, last[1], within_px);
  const auto same_place = [&](size_t ia, size_t ib) {
    return std::abs(rig.mismatch_px(a.points[ia], curves[1]->points[ib])) <=
           kSamePlaceSigma * options.sigma_px;
  };
  const bool tip_seen = a_ends && b_ends && same_place(last[0], last[1]);
  const double length = result.spline.length_parameter();
  if (tip_seen) pin(curves, false, length, observations);
  if (is_end(a, begin.a, 0, within_px) && is_end(*curves[1], begin.b, 0, within_px) &&
      same_place(0, 0)) {
    pin(curves, true, 0.0, observations);
  }

  const auto normal = fit_to_views(rig, options, observations, result.spline);
  for (const auto& c : result.spline.coefficients()) {
    if (!std::isfinite(norm(c))) return nothing("no curve in space fits both views");
  }
  for (size_t v = 0; v < 2; ++v) {
    result.reprojection[v] = reprojection_of(rig, v, result.spline, observations);
  }
  describe_points(result, normal, observations);
  if (reversed) {
    result.tip_reason = "the views disagree which end is the tip";
  } else if (!tip_seen) {
    result.tip_reason =
        a_ends != b_ends
            ? format("view {} does not show the end that view {} shows",
                     a_ends ? "B" : "A",
                     a_ends ? "A" : "B")
            : std::string("the ends of both views are not on each other's epipolar lines");
  } else {
    result.tip = result.spline.at(length);
    result.tip_std_mm = curve_std_mm(result.spline, normal, length, Spread::kAll);
  }
  return result;
}

}  // namespace voxloom::infer
