// Lines of `wire track` in, lines of `wire biplane` out.
#include "voxloom/infer/biplane_lines.h"

#include <cmath>

#include <nlohmann/json.hpp>

#include "voxloom/core/error.h"
#include "voxloom/core/json_text.h"

namespace voxloom::infer {
namespace {

using nlohmann::ordered_json;

constexpr auto kCorrupt = ErrorCode::kDataCorrupt;
constexpr size_t kMostPoints = 100000, kMostLines = 10000000;
constexpr double kFarthestPx = 1e6;

double number(const ordered_json& line, const char* key, const std::string& where) {
  const auto found = line.find(key);
  VOXLOOM_CHECK(found != line.end() && found->is_number() && std::isfinite(found->get<double>()),
                kCorrupt,
                "{}: {} must be a finite number",
                where,
                key);
  return found->get<double>();
}

Point2 read_point(const ordered_json& json, const std::string& where) {
  VOXLOOM_CHECK(json.is_array() && json.size() == 2 && json[0].is_number() && json[1].is_number(),
                kCorrupt,
                "{}: points of the centre line must be pairs of numbers",
                where);
  const Point2 p{json[0].get<double>(), json[1].get<double>()};
  VOXLOOM_CHECK(std::abs(p[0]) <= kFarthestPx && std::abs(p[1]) <= kFarthestPx,
                kCorrupt,
                "{}: points of the centre line must lie within {} px, got ({}, {})",
                where,
                kFarthestPx,
                p[0],
                p[1]);
  return p;
}

ViewCurve read_curve(const ordered_json& line, const std::string& where) {
  ViewCurve curve;
  const auto points = line.find("centerline");
  VOXLOOM_CHECK(points != line.end() && points->is_array() && points->size() <= kMostPoints,
                kCorrupt,
                "{}: centerline must be a list of at most {} points",
                where,
                kMostPoints);
  for (const auto& point : *points) curve.points.push_back(read_point(point, where));
  curve.seen.assign(curve.points.size(), 1);
  const auto gaps = line.find("gaps");
  if (gaps == line.end()) return curve;
  VOXLOOM_CHECK(
      gaps->is_array() && gaps->size() <= kMostPoints, kCorrupt, "{}: gaps must be a list", where);
  for (const auto& gap : *gaps) {
    VOXLOOM_CHECK(gap.is_array() && gap.size() == 2 && gap[0].is_number_integer() &&
                      gap[1].is_number_integer() && gap[0].get<int64_t>() >= 0 &&
                      gap[0].get<int64_t>() <= gap[1].get<int64_t>() &&
                      gap[1].get<int64_t>() < static_cast<int64_t>(curve.points.size()),
                  kCorrupt,
                  "{}: a gap must be [first, last] of the {} points of the centre line",
                  where,
                  curve.points.size());
    // Both ends of a gap were seen.
    for (auto i = gap[0].get<size_t>() + 1; i < gap[1].get<size_t>(); ++i) curve.seen[i] = 0;
  }
  return curve;
}

TrackedLine read_line(std::string_view text, const std::string& where) {
  const auto json =
      parse_json(text, where, kCorrupt, {.max_bytes = size_t{32} << 20, .max_depth = 16});
  VOXLOOM_CHECK(json.is_object(), kCorrupt, "{}: must be a JSON object", where);
  TrackedLine line{.time_s = number(json, "time_s", where), .state = {}, .size = {}, .curve = {}};
  const double frame = number(json, "frame", where);
  VOXLOOM_CHECK(frame >= 0.0 && frame <= 9e15, kCorrupt, "{}: frame must not be negative", where);
  line.frame = static_cast<int64_t>(frame);
  const auto state = json.find("state");
  VOXLOOM_CHECK(state != json.end() && state->is_string() &&
                    (*state == "tracking" || *state == "predicted" || *state == "lost"),
                kCorrupt,
                "{}: state must be tracking, predicted or lost",
                where);
  line.state = state->get<std::string>();
  const auto rle = json.find("rle");
  if (rle != json.end() && rle->is_object() && rle->contains("size")) {
    const auto& size = (*rle)["size"];
    VOXLOOM_CHECK(size.is_array() && size.size() == 2 && size[0].is_number_integer() &&
                      size[1].is_number_integer(),
                  kCorrupt,
                  "{}: rle.size must be [height, width]",
                  where);
    line.size = {size[1].get<int64_t>(), size[0].get<int64_t>()};
  }
  line.curve = read_curve(json, where);
  return line;
}

double rounded(double value, double parts) {
  return std::round(value * parts) / parts;
}

ordered_json position(const Vec3& p) {
  // A micrometre is far below what any view can tell.
  return {rounded(p[0], 1e3), rounded(p[1], 1e3), rounded(p[2], 1e3)};
}

ordered_json reprojection_json(const Reprojection& r) {
  return {{"rms", rounded(r.rms_px, 1e3)},
          {"median", rounded(r.median_px, 1e3)},
          {"max", rounded(r.max_px, 1e3)},
          {"points", r.points}};
}

/// Runs of points that not both views show: [first, last, views].
ordered_json weak_runs(const std::vector<uint8_t>& seen_in) {
  static constexpr const char* kNames[] = {"none", "A", "B"};
  auto runs = ordered_json::array();
  for (size_t i = 0; i < seen_in.size();) {
    size_t end = i;
    while (end + 1 < seen_in.size() && seen_in[end + 1] == seen_in[i]) ++end;
    if (seen_in[i] != 3) {
      runs.push_back({{"first", i}, {"last", end}, {"seen_in", kNames[seen_in[i]]}});
    }
    i = end + 1;
  }
  return runs;
}

}  // namespace

std::vector<TrackedLine> parse_tracked_lines(std::string_view text, const std::string& where) {
  std::vector<TrackedLine> lines;
  size_t number = 0;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const auto line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const std::string place = format("{} line {}", where, number);
    VOXLOOM_CHECK(lines.size() < kMostLines, kCorrupt, "{}: more than {} lines", place, kMostLines);
    lines.push_back(read_line(line, place));
    if (lines.size() > 1) {
      VOXLOOM_CHECK(lines.back().time_s >= lines[lines.size() - 2].time_s,
                    kCorrupt,
                    "{}: time_s must not be before the last line's, {}, got {}",
                    place,
                    lines[lines.size() - 2].time_s,
                    lines.back().time_s);
    }
  }
  return lines;
}

std::vector<LinePair> pair_lines(const std::vector<TrackedLine>& a,
                                 const std::vector<TrackedLine>& b,
                                 const std::array<double, 2>& offset_s,
                                 double max_skew_s) {
  std::vector<LinePair> pairs;
  if (a.empty() || b.empty()) return pairs;
  const auto skew = [&](size_t i, size_t j) {
    return (b[j].time_s + offset_s[1]) - (a[i].time_s + offset_s[0]);
  };
  size_t j = 0;
  for (size_t i = 0; i < a.size() && j < b.size(); ++i) {
    while (j + 1 < b.size() && std::abs(skew(i, j + 1)) < std::abs(skew(i, j))) ++j;
    if (std::abs(skew(i, j)) > max_skew_s) continue;
    // A line of b that fits the next line of a better is left to it.
    if (i + 1 < a.size() && std::abs(skew(i + 1, j)) < std::abs(skew(i, j))) continue;
    pairs.push_back({.a = i, .b = j, .skew_s = skew(i, j)});
    ++j;
  }
  return pairs;
}

BiplaneCurve reconstruct_pair(const BiplaneRig& rig,
                              const TrackedLine& a,
                              const TrackedLine& b,
                              const BiplaneOptions& options) {
  for (const TrackedLine* line : {&a, &b}) {
    if (line->state == "tracking") continue;
    BiplaneCurve none;
    none.reason = format("view {}: the wire is {}", line == &a ? "A" : "B", line->state);
    return none;
  }
  return reconstruct_curve(rig, a.curve, b.curve, options);
}

ordered_json biplane_to_json(const BiplaneCurve& curve,
                             const TrackedLine& a,
                             const TrackedLine& b,
                             double time_s,
                             double skew_s) {
  ordered_json json{{"frames", {a.frame, b.frame}},
                    {"time_s", time_s},
                    {"skew_ms", rounded(skew_s * 1e3, 1e3)},
                    {"state", curve.found ? "found" : "absent"}};
  if (!curve.found) {
    json["reason"] = curve.reason;
    return json;
  }
  auto points = ordered_json::array(), deviations = ordered_json::array();
  for (const auto& p : curve.points) points.push_back(position(p));
  for (const double d : curve.std_mm) deviations.push_back(rounded(d, 1e3));
  json["centerline_mm"] = std::move(points);
  json["std_mm"] = std::move(deviations);
  json["not_in_both"] = weak_runs(curve.seen_in);
  auto knots = ordered_json::array(), coefficients = ordered_json::array();
  for (const double k : curve.spline.knots()) knots.push_back(rounded(k, 1e4));
  for (const auto& c : curve.spline.coefficients()) coefficients.push_back(position(c));
  json["spline"] = {
      {"degree", 3}, {"knots", std::move(knots)}, {"coefficients", std::move(coefficients)}};
  if (curve.tip) {
    json["tip_mm"] = position(*curve.tip);
    json["tip_std_mm"] = rounded(curve.tip_std_mm, 1e3);
  } else {
    json["tip_mm"] = nullptr;
    json["tip_reason"] = curve.tip_reason;
  }
  json["length_mm"] = rounded(curve.length_mm, 1e2);
  if (std::isfinite(curve.min_curvature_radius_mm)) {
    json["min_curvature_radius_mm"] = rounded(curve.min_curvature_radius_mm, 1e2);
  }
  json["reprojection_px"] = {{"A", reprojection_json(curve.reprojection[0])},
                             {"B", reprojection_json(curve.reprojection[1])}};
  json["epipolar_px"] = rounded(curve.epipolar_px, 1e3);
  json["used"] = {rounded(curve.used[0], 1e3), rounded(curve.used[1], 1e3)};
  if (curve.reversed) json["reversed"] = true;
  return json;
}

}  // namespace voxloom::infer
