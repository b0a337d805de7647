#include "voxloom/infer/wire_overlay.h"

#include <algorithm>
#include <cmath>

#include "voxloom/core/format.h"

namespace voxloom::infer {
namespace {

using image::Canvas;
using image::Color;

constexpr Color kGreen{0, 255, 0}, kYellow{255, 220, 0}, kOrange{255, 140, 0}, kGrey{170, 170, 170};
constexpr double kFillOpacity = 0.4;

void draw_line(Canvas& canvas,
               const std::vector<Point2>& line,
               size_t first,
               size_t last,
               Color color,
               bool dashed) {
  constexpr size_t kDash = 4;
  for (size_t i = first; i < last && i + 1 < line.size(); ++i) {
    if (dashed && i / kDash % 2 == 1) continue;
    canvas.line(std::lround(line[i][0]),
                std::lround(line[i][1]),
                std::lround(line[i + 1][0]),
                std::lround(line[i + 1][1]),
                color);
  }
}

void draw_ring(Canvas& canvas, const Point2& centre, double radius, Color color) {
  const auto steps = static_cast<int>(std::ceil(radius * 8.0));
  for (int i = 0; i < steps; ++i) {
    const double a = 6.283185307179586 * i / steps;
    canvas.set(std::lround(centre[0] + radius * std::cos(a)),
               std::lround(centre[1] + radius * std::sin(a)),
               color);
  }
}

std::string caption(const WireResult& result) {
  std::string text = format("#{} {}", result.number, wire_state_name(result.state));
  if (result.state != WireState::kLost) {
    text += result.pixel_mm > 0.0 ? format("  {:.0f} mm", result.length_px * result.pixel_mm)
                                  : format("  {:.0f} px", result.length_px);
  }
  return text + format("  {:.1f} ms", result.age_ms);
}

}  // namespace

Canvas draw_wire_overlay(const image::Frame& frame, const WireResult& result) {
  Canvas canvas(frame.width, frame.height);
  for (int64_t y = 0; y < frame.height; ++y) {
    for (int64_t x = 0; x < frame.width; ++x) {
      const auto i = static_cast<size_t>(y * frame.width + x);
      const auto v =
          static_cast<uint8_t>(std::lround(std::clamp(frame.pixels[i], 0.0F, 1.0F) * 255.0F));
      canvas.set(x, y, {v, v, v});
      if (i < result.mask.size() && result.mask[i] != 0) canvas.blend(x, y, kGreen, kFillOpacity);
    }
  }
  const bool predicted = result.state == WireState::kPredicted;
  for (size_t w = 1; w < result.centerlines.size(); ++w) {
    draw_line(canvas, result.centerlines[w], 0, result.centerlines[w].size(), kGreen, false);
  }
  size_t from = 0;
  for (const auto& gap : result.gaps) {
    draw_line(canvas, result.centerline, from, gap.first, kGreen, false);
    draw_line(canvas, result.centerline, gap.first, gap.last, kYellow, true);
    from = gap.last;
  }
  draw_line(canvas,
            result.centerline,
            from,
            result.centerline.size(),
            predicted ? kOrange : kGreen,
            predicted);
  if (result.tip) draw_ring(canvas, result.tip->position, 6.0, predicted ? kOrange : kGreen);
  const Color color = result.state == WireState::kTracking
                          ? kGreen
                          : (result.state == WireState::kPredicted ? kOrange : kGrey);
  canvas.text(6, 6, caption(result), color, frame.width >= 384 ? 2 : 1);
  return canvas;
}

}  // namespace voxloom::infer
