#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace voxloom {

/// One row of points with their median and interval, for svg_strip_plot.
struct StripRow {
  std::string label;
  std::vector<double> values;
  double median = 0, low = 0, high = 0;
};

/// Every case as a dot, a row a setting, with median and interval: values within [0, 1].
[[nodiscard]] std::string svg_strip_plot(std::string_view title, std::span<const StripRow> rows);

/// One curve of svg_line_plot: points in order of x.
struct LineSeries {
  std::string label;
  std::vector<double> x, y;
};

/// Curves over a common x axis, each in its colour with a legend. Points that are not finite are
/// left out. `log_y`: a logarithmic axis, where all values are above 0.
[[nodiscard]] std::string svg_line_plot(std::string_view title,
                                        std::string_view x_label,
                                        std::span<const LineSeries> series,
                                        bool log_y = false);

}  // namespace voxloom
