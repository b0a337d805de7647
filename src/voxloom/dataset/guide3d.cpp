#include "voxloom/dataset/guide3d.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include <nlohmann/json.hpp>

#include "voxloom/core/error.h"
#include "voxloom/core/json_text.h"

namespace voxloom::dataset {
namespace {

using image::Point2;
using nlohmann::ordered_json;

constexpr size_t kMaxPoints = 4096;
constexpr size_t kMaxDegree = 5;
constexpr double kMaxCoordinate = 1e5;
constexpr double kMaxSamples = 20'000.0;

const ordered_json* find(const ordered_json& object, std::initializer_list<const char*> names) {
  VOXLOOM_CHECK(object.is_object(),
                ErrorCode::kDataCorrupt,
                "must be a JSON object, got {}",
                object.type_name());
  for (const char* name : names) {
    if (const auto found = object.find(name); found != object.end()) return &*found;
  }
  return nullptr;
}

const ordered_json& field(const ordered_json& object, const char* name) {
  const auto* found = find(object, {name});
  VOXLOOM_CHECK(found != nullptr, ErrorCode::kDataCorrupt, "'{}': must be there", name);
  return *found;
}

const ordered_json& list(const ordered_json& value, const char* name, size_t most) {
  VOXLOOM_CHECK(value.is_array(),
                ErrorCode::kDataCorrupt,
                "'{}': must be a list, got {}",
                name,
                value.type_name());
  VOXLOOM_CHECK(value.size() <= most,
                ErrorCode::kUnsupported,
                "'{}': must have at most {} entries, got {}",
                name,
                most,
                value.size());
  return value;
}

int64_t frame_number(const ordered_json& value) {
  VOXLOOM_CHECK(value.is_number_integer() && value >= 0 && value <= 10'000'000,
                ErrorCode::kDataCorrupt,
                "'frame_number': must be a whole number within [0, 10000000], got {}",
                value.is_number() ? value.dump() : value.type_name());
  return value.get<int64_t>();
}

double number(const ordered_json& value, const char* name, double limit) {
  VOXLOOM_CHECK(value.is_number(),
                ErrorCode::kDataCorrupt,
                "'{}': must hold numbers, got {}",
                name,
                value.type_name());
  const double number = value.get<double>();
  VOXLOOM_CHECK(std::abs(number) <= limit,
                ErrorCode::kDataCorrupt,
                "'{}': numbers must be within +-{}, got {}",
                name,
                limit,
                number);
  return number;
}

std::vector<Point2> parse_points(const ordered_json& json) {
  std::vector<Point2> points;
  for (const auto& point : list(json, "points", kMaxPoints)) {
    VOXLOOM_CHECK(point.is_array() && point.size() == 2,
                  ErrorCode::kDataCorrupt,
                  "'points': must hold pairs [x, y]");
    points.push_back(
        {number(point[0], "points", kMaxCoordinate), number(point[1], "points", kMaxCoordinate)});
  }
  return points;
}

std::vector<double> numbers(const ordered_json& json, const char* name, double limit) {
  std::vector<double> out;
  for (const auto& value : list(json, name, kMaxPoints)) out.push_back(number(value, name, limit));
  return out;
}

/// A B-spline curve of the plane: control points i have the knots i to i + degree + 1.
struct PlaneSpline {
  std::vector<double> knots, x, y;
  size_t degree = 3;

  [[nodiscard]] size_t control_points() const { return knots.size() - degree - 1; }

  /// De Boor's recursion in the knot interval [knots[span], knots[span + 1]].
  [[nodiscard]] Point2 at(double u, size_t span) const {
    std::array<Point2, kMaxDegree + 1> d{};
    for (size_t j = 0; j <= degree; ++j) d[j] = {x[span - degree + j], y[span - degree + j]};
    for (size_t r = 1; r <= degree; ++r) {
      for (size_t j = degree; j >= r; --j) {
        const double low = knots[span - degree + j], high = knots[span + 1 + j - r];
        const double w = high > low ? (u - low) / (high - low) : 0.0;
        for (size_t c = 0; c < 2; ++c) d[j][c] = (1.0 - w) * d[j - 1][c] + w * d[j][c];
      }
    }
    return d[degree];
  }

  [[nodiscard]] std::vector<Point2> sampled() const {
    const size_t count = control_points();
    // The control polygon is at least as long as the curve.
    double length = 0.0;
    for (size_t i = 1; i < count; ++i) length += std::hypot(x[i] - x[i - 1], y[i] - y[i - 1]);
    const auto steps = static_cast<size_t>(std::clamp(std::ceil(length), 16.0, kMaxSamples));
    const double first = knots[degree], last = knots[count];
    std::vector<Point2> line;
    size_t span = degree;
    for (size_t i = 0; i <= steps; ++i) {
      const double u = first + (last - first) * static_cast<double>(i) / static_cast<double>(steps);
      while (span + 1 < count && u >= knots[span + 1]) ++span;
      line.push_back(at(u, span));
    }
    return line;
  }
};

std::vector<Point2> parse_spline(const ordered_json& json) {
  PlaneSpline spline;
  const ordered_json& degree = field(json, "k");
  VOXLOOM_CHECK(degree.is_number_integer() && degree >= 1 && degree <= kMaxDegree,
                ErrorCode::kDataCorrupt,
                "'k': must be a degree within [1, {}]",
                kMaxDegree);
  spline.degree = degree.get<size_t>();
  spline.knots = numbers(field(json, "t"), "t", 1e9);
  const ordered_json& c = list(field(json, "c"), "c", 2);
  VOXLOOM_CHECK(
      c.size() == 2, ErrorCode::kDataCorrupt, "'c': must hold x and y, got {} lists", c.size());
  spline.x = numbers(c[0], "c", kMaxCoordinate);
  spline.y = numbers(c[1], "c", kMaxCoordinate);
  VOXLOOM_CHECK(spline.knots.size() >= 2 * spline.degree + 2 &&
                    spline.x.size() >= spline.control_points() &&
                    spline.y.size() >= spline.control_points(),
                ErrorCode::kDataCorrupt,
                "'tck': {} knots of degree {} must have {} control points, got {} and {}",
                spline.knots.size(),
                spline.degree,
                static_cast<int64_t>(spline.knots.size()) - static_cast<int64_t>(spline.degree) - 1,
                spline.x.size(),
                spline.y.size());
  VOXLOOM_CHECK(std::is_sorted(spline.knots.begin(), spline.knots.end()) &&
                    spline.knots[spline.degree] < spline.knots[spline.control_points()],
                ErrorCode::kDataCorrupt,
                "'t': knots must rise");
  return spline.sampled();
}

std::optional<Guide3dView> parse_view(const ordered_json* json) {
  if (json == nullptr || json->is_null()) return std::nullopt;
  Guide3dView view;
  const ordered_json& image = field(*json, "image");
  VOXLOOM_CHECK(image.is_string(),
                ErrorCode::kDataCorrupt,
                "'image': must be text, got {}",
                image.type_name());
  view.image = image.get<std::string>();
  const auto* points = find(*json, {"points"});
  const auto* spline = find(*json, {"tck"});
  VOXLOOM_CHECK(points != nullptr || spline != nullptr,
                ErrorCode::kDataCorrupt,
                "'points' or 'tck': must be there");
  view.line = points != nullptr ? parse_points(*points) : parse_spline(*spline);
  for (auto& point : view.line) point = {point[0] + 0.5, point[1] + 0.5};
  return view;
}

/// "1-bca-angle-5", or made from the other fields.
std::string video_name(const ordered_json& json, size_t place) {
  if (const auto* task = find(json, {"task"}); task != nullptr && task->is_string()) {
    return task->get<std::string>();
  }
  return format("video-{}", place);
}

}  // namespace

std::vector<Guide3dVideo> parse_guide3d(std::string_view text, const std::string& where) {
  const std::string quoted = format("'{}'", where);
  const auto root = parse_json(
      text, quoted, ErrorCode::kDataCorrupt, {.max_bytes = kMaxGuide3dBytes, .max_depth = 12});
  std::vector<Guide3dVideo> videos;
  size_t frames_read = 0;
  try {
    for (const auto& json : list(root, "videos", 65536)) {
      auto& video = videos.emplace_back();
      video.name = video_name(json, videos.size() - 1);
      for (const auto& entry : list(field(json, "frames"), "frames", size_t{1} << 20)) {
        Guide3dFrame frame;
        frame.number = frame_number(field(entry, "frame_number"));
        frame.a = parse_view(find(entry, {"cameraA", "camera1"}));
        frame.b = parse_view(find(entry, {"cameraB", "camera2"}));
        video.frame_count = std::max(video.frame_count, frame.number + 1);
        video.frames.push_back(std::move(frame));
        ++frames_read;
      }
    }
  } catch (const Error& error) {
    throw error.with_context(
        videos.empty()
            ? quoted
            : format("{} video '{}' after {} frames", quoted, videos.back().name, frames_read));
  }
  return videos;
}

}  // namespace voxloom::dataset
