#include "voxloom/core/svg_plot.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "voxloom/core/format.h"
#include "voxloom/core/html.h"

namespace voxloom {
namespace {

/// A range of values on an axis, as its ticks.
struct Axis {
  double low = 0, high = 1, step = 1;
};

/// About `wanted` ticks at 1, 2 or 5 times a power of ten around [low, high].
Axis make_axis(double low, double high, double wanted) {
  if (!(high > low)) {
    const double room = low == 0.0 ? 1.0 : std::abs(low) * 0.1;
    low -= room;
    high += room;
  }
  const double raw = (high - low) / wanted;
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  double step = power;
  for (const double factor : {1.0, 2.0, 5.0, 10.0}) {
    step = factor * power;
    if (step >= raw) break;
  }
  return {std::floor(low / step) * step, std::ceil(high / step) * step, step};
}

bool is_shown(double x, double y, bool log_y) {
  return std::isfinite(x) && std::isfinite(y) && (!log_y || y > 0.0);
}

/// Okabe and Ito's colours, which stay apart under colour blindness.
constexpr std::array<std::string_view, 6> kColors{
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"};

}  // namespace

std::string svg_strip_plot(std::string_view title, std::span<const StripRow> rows) {
  constexpr double kLeft = 110, kPlot = 560, kRow = 34, kTop = 16;
  const double height = kTop + kRow * static_cast<double>(rows.size()) + 30;
  const auto x_of = [&](double value) { return kLeft + kPlot * std::clamp(value, 0.0, 1.0); };
  std::string out = format(
      "<svg role=\"img\" aria-label=\"{}\" viewBox=\"0 0 {:.0f} {:.0f}\" width=\"{:.0f}\" "
      "font-size=\"12\" fill=\"currentColor\">",
      html_escape(title),
      kLeft + kPlot + 30,
      height,
      kLeft + kPlot + 30);
  for (int tick = 0; tick <= 10; tick += 2) {
    const double x = x_of(tick / 10.0);
    out += format(
        "<line x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.0f}\" y2=\"{:.0f}\" stroke=\"currentColor\" "
        "stroke-opacity=\".15\"/><text x=\"{:.1f}\" y=\"{:.0f}\" "
        "text-anchor=\"middle\">{:.1f}</text>",
        x,
        x,
        kTop,
        height - 26,
        x,
        height - 8,
        tick / 10.0);
  }
  for (size_t i = 0; i < rows.size(); ++i) {
    const StripRow& row = rows[i];
    const double y = kTop + kRow * (static_cast<double>(i) + 0.5);
    out += format("<text x=\"{:.0f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>",
                  kLeft - 12,
                  y + 4,
                  html_escape(row.label));
    for (size_t k = 0; k < row.values.size(); ++k) {
      // A fixed zigzag keeps equal values apart.
      const double shift = static_cast<double>(k % 5) * 2.6 - 5.2;
      out += format(
          "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"#0072b2\" fill-opacity=\".45\"/>",
          x_of(row.values[k]),
          y + shift);
    }
    out += format(
        "<line x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"#d55e00\" "
        "stroke-width=\"3\"/><line x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\" "
        "stroke=\"#d55e00\" stroke-width=\"3\"/>",
        x_of(row.low),
        x_of(row.high),
        y + 11,
        y + 11,
        x_of(row.median),
        x_of(row.median),
        y - 9,
        y + 13);
  }
  return out + "</svg>";
}

std::string svg_line_plot(std::string_view title,
                          std::string_view x_label,
                          std::span<const LineSeries> series,
                          bool log_y) {
  constexpr double kLeft = 70, kTop = 16, kWidth = 620, kHeight = 240;
  double x_low = INFINITY, x_high = -INFINITY, y_low = INFINITY, y_high = -INFINITY;
  for (const LineSeries& line : series) {
    for (size_t i = 0; i < line.x.size(); ++i) {
      if (!is_shown(line.x[i], line.y[i], log_y)) continue;
      const double y = log_y ? std::log10(line.y[i]) : line.y[i];
      x_low = std::min(x_low, line.x[i]);
      x_high = std::max(x_high, line.x[i]);
      y_low = std::min(y_low, y);
      y_high = std::max(y_high, y);
    }
  }
  if (!(x_low <= x_high)) return format("<p class=\"note\">{}: no values</p>", html_escape(title));
  const Axis x_axis = make_axis(x_low, x_high, 6), y_axis = make_axis(y_low, y_high, 5);
  const auto x_of = [&](double x) {
    return kLeft + kWidth * (x - x_axis.low) / (x_axis.high - x_axis.low);
  };
  const auto y_of = [&](double y) {
    return kTop + kHeight * (1.0 - (y - y_axis.low) / (y_axis.high - y_axis.low));
  };
  const double bottom = kTop + kHeight;
  const size_t legend_rows = (series.size() + 2) / 3;
  const double height = bottom + 44 + 18 * static_cast<double>(legend_rows);
  std::string out = format(
      "<svg role=\"img\" aria-label=\"{}\" viewBox=\"0 0 {:.0f} {:.0f}\" width=\"{:.0f}\" "
      "font-size=\"12\" fill=\"currentColor\">",
      html_escape(title),
      kLeft + kWidth + 30,
      height,
      kLeft + kWidth + 30);
  const auto ticks = [](const Axis& axis) {
    return static_cast<int>(std::lround((axis.high - axis.low) / axis.step));
  };
  for (int i = 0; i <= ticks(x_axis); ++i) {
    const double x = x_axis.low + i * x_axis.step;
    out += format("<text x=\"{:.1f}\" y=\"{:.0f}\" text-anchor=\"middle\">{:.6g}</text>",
                  x_of(x),
                  bottom + 16,
                  x);
  }
  for (int i = 0; i <= ticks(y_axis); ++i) {
    const double y = y_axis.low + i * y_axis.step;
    out += format(
        "<line x1=\"{:.0f}\" x2=\"{:.0f}\" y1=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"currentColor\" "
        "stroke-opacity=\".15\"/><text x=\"{:.0f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>",
        kLeft,
        kLeft + kWidth,
        y_of(y),
        y_of(y),
        kLeft - 8,
        y_of(y) + 4,
        log_y ? format("{:.2g}", std::pow(10.0, y))
              : format("{:.4g}", std::abs(y) < y_axis.step * 1e-6 ? 0.0 : y));
  }
  out += format("<text x=\"{:.0f}\" y=\"{:.0f}\" text-anchor=\"middle\">{}</text>",
                kLeft + kWidth / 2,
                bottom + 34,
                html_escape(x_label));
  for (size_t s = 0; s < series.size(); ++s) {
    const LineSeries& line = series[s];
    const std::string_view color = kColors[s % kColors.size()];
    std::string points;
    for (size_t i = 0; i < line.x.size(); ++i) {
      if (!is_shown(line.x[i], line.y[i], log_y)) continue;
      points += format(
          "{:.1f},{:.1f} ", x_of(line.x[i]), y_of(log_y ? std::log10(line.y[i]) : line.y[i]));
    }
    out += format("<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"1.8\" points=\"{}\"/>",
                  color,
                  points);
    const double x = kLeft + static_cast<double>(s % 3) * 200;
    const size_t row = s / 3;
    const double y = bottom + 52 + 18 * static_cast<double>(row);
    out += format(
        "<rect x=\"{:.0f}\" y=\"{:.0f}\" width=\"14\" height=\"3\" fill=\"{}\"/>"
        "<text x=\"{:.0f}\" y=\"{:.0f}\">{}</text>",
        x,
        y - 5,
        color,
        x + 20,
        y,
        html_escape(line.label));
  }
  return out + "</svg>";
}

}  // namespace voxloom
