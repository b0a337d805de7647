#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace voxloom::app {

/// Text made safe for HTML.
[[nodiscard]] std::string html_escape(std::string_view text);

/// <img> with the PNG's bytes inside, so that a report is one file.
[[nodiscard]] std::string html_image(std::span<const std::byte> png, std::string_view alt);

/// A whole page with the reports' style. `body` is HTML.
[[nodiscard]] std::string html_page(std::string_view title, std::string_view body);

/// One row of points with their median and interval, for svg_strip_plot.
struct StripRow {
  std::string label;
  std::vector<double> values;
  double median = 0, low = 0, high = 0;
};

/// Every case as a dot, a row a setting, with median and interval: values within [0, 1].
[[nodiscard]] std::string svg_strip_plot(std::string_view title, std::span<const StripRow> rows);

}  // namespace voxloom::app
