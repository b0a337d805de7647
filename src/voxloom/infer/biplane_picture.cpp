#include "voxloom/infer/biplane_picture.h"

#include <algorithm>
#include <cmath>

#include "voxloom/core/format.h"
#include "voxloom/core/html.h"

namespace voxloom::infer {
namespace {

constexpr double kPanel = 262.0;  // Width and height of a panel, px of the page.
constexpr double kMargin = 14.0;

/// Colours of a point by the views that show it: none, A, B, both.
constexpr const char* kColours[] = {"#c62828", "#ef6c00", "#f9a825", "#1565c0"};
constexpr const char* kSeen = "#616161";
constexpr const char* kBridged = "#bdbdbd";

/// The part of a plane that a panel shows, in equal scale on both axes.
struct Window {
  double x0 = 1e300, y0 = 1e300, x1 = -1e300, y1 = -1e300;
  void hold(const Point2& p) {
    x0 = std::min(x0, p[0]);
    x1 = std::max(x1, p[0]);
    y0 = std::min(y0, p[1]);
    y1 = std::max(y1, p[1]);
  }
  [[nodiscard]] double scale() const {
    return (kPanel - 2.0 * kMargin) / std::max({x1 - x0, y1 - y0, 1e-6});
  }
  [[nodiscard]] Point2 place(const Point2& p) const {
    const double s = scale();
    return {kPanel / 2.0 + s * (p[0] - (x0 + x1) / 2.0),
            kPanel / 2.0 + s * (p[1] - (y0 + y1) / 2.0)};
  }
};

std::string polyline(const Window& window,
                     const std::vector<Point2>& points,
                     const char* colour,
                     double width,
                     const char* dashes = "") {
  std::string list;
  for (const auto& p : points) {
    const auto at = window.place(p);
    list += format("{:.1f},{:.1f} ", at[0], at[1]);
  }
  return format("<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\"{}/>\n",
                list,
                colour,
                width,
                *dashes == '\0' ? std::string() : format(" stroke-dasharray=\"{}\"", dashes));
}

/// A line in one colour for every run of equal marks; runs share their ends.
template <class Colour>
std::string coloured(const Window& window,
                     const std::vector<Point2>& points,
                     const std::vector<uint8_t>& marks,
                     double width,
                     Colour colour) {
  std::string text;
  for (size_t i = 0; i < points.size();) {
    size_t end = i;
    while (end + 1 < points.size() && marks[end + 1] == marks[i]) ++end;
    const size_t last = std::min(end + 1, points.size() - 1);
    text += polyline(
        window,
        {points.begin() + static_cast<int64_t>(i), points.begin() + static_cast<int64_t>(last) + 1},
        colour(marks[i]),
        width);
    i = end + 1;
  }
  return text;
}

std::string ring(const Window& window, const Point2& p, const char* colour) {
  const auto at = window.place(p);
  return format(
      "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"6\" fill=\"none\" stroke=\"{}\" "
      "stroke-width=\"2\"/>\n",
      at[0],
      at[1],
      colour);
}

std::string panel(const std::string& title, const std::string& content) {
  const auto size = static_cast<int>(kPanel);
  return format(
      "<figure style=\"display:inline-block;margin:4px\"><figcaption>{}</figcaption>\n"
      "<svg width=\"{}\" height=\"{}\" style=\"background:#fafafa;border:1px solid #ddd\">\n"
      "{}</svg></figure>\n",
      html_escape(title),
      size,
      size,
      content);
}

/// One image: what was seen in grey, the curve in space projected over it.
std::string view_panel(const BiplaneRig& rig,
                       size_t view,
                       const std::string& name,
                       const std::array<const TrackedLine*, 2>& lines,
                       const BiplaneCurve& curve) {
  const auto& seen = lines[view]->curve;
  const auto& other = lines[1 - view]->curve;
  std::vector<Point2> projected;
  for (const auto& p : curve.points) projected.push_back(rig.view(view).project(p));
  Window window;
  for (const auto& p : seen.points) window.hold(p);
  for (const auto& p : projected) window.hold(p);
  std::string content;
  if (!other.points.empty()) {
    const auto line = rig.epipolar_line(view, other.points.back());
    // Through the middle of the window and far beyond it.
    const Point2 middle{(window.x0 + window.x1) / 2.0, (window.y0 + window.y1) / 2.0};
    const double off = line[0] * middle[0] + line[1] * middle[1] + line[2];
    const Point2 foot{middle[0] - off * line[0], middle[1] - off * line[1]};
    const double far = 2.0 * std::max({window.x1 - window.x0, window.y1 - window.y0, 1.0});
    content += polyline(window,
                        {{foot[0] - far * line[1], foot[1] + far * line[0]},
                         {foot[0] + far * line[1], foot[1] - far * line[0]}},
                        "#90caf9",
                        1.0,
                        "4 3");
  }
  content += coloured(window, seen.points, seen.seen, 4.0, [](uint8_t mark) {
    return mark != 0 ? kSeen : kBridged;
  });
  content += coloured(
      window, projected, curve.seen_in, 1.6, [](uint8_t mark) { return kColours[mark & 3]; });
  if (!seen.points.empty()) content += ring(window, seen.points.back(), kSeen);
  return panel(format("view {}, frame {}: {:.2f} px rms from the curve",
                      name,
                      lines[view]->frame,
                      curve.reprojection[view].rms_px),
               content);
}

/// The curve in space along an axis of the patient: `across` and z; the head is above.
std::string space_panel(const std::string& title, const BiplaneCurve& curve, size_t across) {
  std::vector<Point2> points;
  Window window;
  for (const auto& p : curve.points) {
    points.push_back({p[across], -p[2]});
    window.hold(points.back());
  }
  std::string content =
      coloured(window, points, curve.seen_in, 2.2, [](uint8_t mark) { return kColours[mark & 3]; });
  if (curve.tip) content += ring(window, {(*curve.tip)[across], -(*curve.tip)[2]}, "#1565c0");
  content += format(
      "<rect x=\"10\" y=\"{}\" width=\"{:.1f}\" height=\"3\" fill=\"#212121\"/>"
      "<text x=\"10\" y=\"{}\" font-size=\"11\">10 mm</text>\n",
      kPanel - 12.0,
      10.0 * window.scale(),
      kPanel - 16.0);
  return panel(title, content);
}

}  // namespace

std::string draw_biplane(const BiplaneRig& rig,
                         const std::array<BiplaneView, 2>& views,
                         const TrackedLine& a,
                         const TrackedLine& b,
                         const BiplaneCurve& curve) {
  const std::array<const TrackedLine*, 2> lines{&a, &b};
  std::string text;
  for (size_t v = 0; v < 2; ++v) text += view_panel(rig, v, views[v].name, lines, curve);
  text += space_panel("from the front (patient's left on the right)", curve, 0);
  text += space_panel("from the patient's left (chest on the left)", curve, 1);
  return text;
}

}  // namespace voxloom::infer
