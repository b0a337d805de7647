#include "voxloom/capi/wire_answer.h"

#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

#include "voxloom/image/rle.h"

namespace voxloom::capi {
namespace {

std::vector<voxloom_point> points_of(const std::vector<infer::Point2>& points) {
  std::vector<voxloom_point> list;
  list.reserve(points.size());
  for (const auto& p : points) list.push_back({p[0], p[1]});
  return list;
}

voxloom_wire_state state_of(infer::WireState state) {
  switch (state) {
    case infer::WireState::kTracking:
      return VOXLOOM_WIRE_TRACKING;
    case infer::WireState::kPredicted:
      return VOXLOOM_WIRE_PREDICTED;
    case infer::WireState::kLost:
      return VOXLOOM_WIRE_LOST;
  }
  return VOXLOOM_WIRE_LOST;
}

}  // namespace

WireAnswer::WireAnswer(infer::WireResult found, int64_t capture_time_ns)
    : found_(std::move(found)) {
  rle_ = image::rle_to_string(image::encode_rle(found_.mask, found_.width, found_.height));
  view_.number = found_.number;
  view_.capture_time_ns = capture_time_ns;
  view_.time_s = found_.time_s;
  view_.age_ms = found_.age_ms;
  view_.state = state_of(found_.state);
  view_.predicted = found_.state == infer::WireState::kPredicted ? 1 : 0;
  view_.reason = found_.reason.c_str();
  view_.width = found_.width;
  view_.height = found_.height;
  view_.mask = found_.mask.data();
  view_.mask_rle = rle_.c_str();
  std::copy(found_.box.begin(), found_.box.end(), view_.box);
  view_.score = found_.score;
  if (found_.tip) {
    view_.has_tip = 1;
    view_.tip = {found_.tip->position[0], found_.tip->position[1]};
    view_.tip_direction = {found_.tip->direction[0], found_.tip->direction[1]};
    view_.tip_confidence = found_.tip->confidence;
  }
  view_.length_px = found_.length_px;
  view_.width_px = found_.width_px;
  if (std::isfinite(found_.min_curvature_radius_px)) {
    view_.min_curvature_radius_px = found_.min_curvature_radius_px;
  }
  view_.pixel_mm = found_.pixel_mm;
  view_.length_mm = found_.length_px * found_.pixel_mm;
  view_.components_before = found_.components_before;
  view_.components_after = found_.components_after;
  for (const auto& [name, ms] : found_.times_ms) stages_.push_back({name.c_str(), ms});
  view_.stages = stages_.data();
  view_.stage_count = stages_.size();
  show_lines();
}

void WireAnswer::show_lines() {
  centerline_ = points_of(found_.centerline);
  view_.centerline = {centerline_.data(), centerline_.size()};
  bridged_.assign(centerline_.size(), 0);
  for (const auto& gap : found_.gaps) {
    gaps_.push_back({gap.first, gap.last, gap.length_px});
    for (size_t i = gap.first; i <= gap.last && i < bridged_.size(); ++i) bridged_[i] = 1;
  }
  view_.centerline_bridged = bridged_.data();
  view_.gaps = gaps_.data();
  view_.gap_count = gaps_.size();
  for (size_t i = 1; i < found_.centerlines.size(); ++i) {
    other_points_.push_back(points_of(found_.centerlines[i]));
  }
  for (const auto& points : other_points_) others_.push_back({points.data(), points.size()});
  view_.other_wires = others_.data();
  view_.other_wire_count = others_.size();
  if (!found_.spline_coefficients.empty()) {
    coefficients_ = points_of(found_.spline_coefficients);
    view_.spline_degree = 3;
    view_.spline_knots = found_.spline_knots.data();
    view_.spline_knot_count = found_.spline_knots.size();
    view_.spline_coefficients = coefficients_.data();
    view_.spline_coefficient_count = coefficients_.size();
  }
}

const std::string& WireAnswer::json() {
  if (json_.empty()) {
    auto object = infer::wire_result_to_json(found_);
    object["capture_time_ns"] = view_.capture_time_ns;
    json_ = object.dump();
  }
  return json_;
}

}  // namespace voxloom::capi
