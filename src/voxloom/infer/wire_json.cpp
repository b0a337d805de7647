// WireResult as one line of JSON: what `wire track` and `wire predict` write for each frame.
#include <cmath>

#include <nlohmann/json.hpp>

#include "voxloom/image/contour.h"
#include "voxloom/image/rle.h"
#include "voxloom/infer/wire_tracker.h"

namespace voxloom::infer {
namespace {

using nlohmann::ordered_json;

/// Hundredths of a pixel are more than a centre line is good for, and keep lines short.
double rounded(double value) {
  return std::round(value * 100.0) / 100.0;
}

ordered_json points_json(const std::vector<Point2>& points) {
  auto list = ordered_json::array();
  for (const auto& p : points) list.push_back({rounded(p[0]), rounded(p[1])});
  return list;
}

}  // namespace

ordered_json wire_result_to_json(const WireResult& result) {
  ordered_json json{{"frame", result.number},
                    {"time_s", result.time_s},
                    {"age_ms", rounded(result.age_ms)},
                    {"state", wire_state_name(result.state)}};
  if (!result.reason.empty()) json["reason"] = result.reason;
  json["bbox"] = result.box;
  json["score"] = rounded(result.score);
  const auto rle = image::encode_rle(result.mask, result.width, result.height);
  json["rle"] = {{"size", {result.height, result.width}}, {"counts", image::rle_to_string(rle)}};
  auto polygons = ordered_json::array();
  for (const auto& contour : image::trace_contours(result.mask, result.width, result.height)) {
    auto flat = ordered_json::array();
    for (const auto& vertex : contour) {
      flat.push_back(vertex[0]);
      flat.push_back(vertex[1]);
    }
    polygons.push_back(std::move(flat));
  }
  json["poly"] = std::move(polygons);
  json["centerline"] = points_json(result.centerline);
  if (result.centerlines.size() > 1) {
    auto others = ordered_json::array();
    for (size_t i = 1; i < result.centerlines.size(); ++i) {
      others.push_back(points_json(result.centerlines[i]));
    }
    json["other_wires"] = std::move(others);
  }
  if (!result.spline_knots.empty()) {
    auto knots = ordered_json::array();
    for (const double k : result.spline_knots) knots.push_back(rounded(k));
    json["spline"] = {{"degree", 3},
                      {"knots", std::move(knots)},
                      {"coefficients", points_json(result.spline_coefficients)}};
  }
  auto gaps = ordered_json::array();
  for (const auto& gap : result.gaps) gaps.push_back({gap.first, gap.last});
  json["gaps"] = std::move(gaps);
  if (result.tip) {
    json["tip"] = {
        {"x", rounded(result.tip->position[0])},
        {"y", rounded(result.tip->position[1])},
        {"direction", {rounded(result.tip->direction[0]), rounded(result.tip->direction[1])}},
        {"confidence", rounded(result.tip->confidence)}};
  } else {
    json["tip"] = nullptr;
  }
  json["length_px"] = rounded(result.length_px);
  json["width_px"] = rounded(result.width_px);
  if (std::isfinite(result.min_curvature_radius_px) && result.min_curvature_radius_px > 0.0) {
    json["min_curvature_radius_px"] = rounded(result.min_curvature_radius_px);
  }
  if (result.pixel_mm > 0.0) {
    json["pixel_mm"] = result.pixel_mm;
    json["length_mm"] = rounded(result.length_px * result.pixel_mm);
  }
  json["components"] = {result.components_before, result.components_after};
  auto times = ordered_json::object();
  for (const auto& [stage, ms] : result.times_ms) times[stage] = rounded(ms);
  json["ms"] = std::move(times);
  return json;
}

}  // namespace voxloom::infer
