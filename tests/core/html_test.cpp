#include "voxloom/core/html.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "voxloom/core/svg_plot.h"

namespace voxloom {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(HtmlTest, EscapesWhatWouldBeMarkup) {
  EXPECT_EQ(html_escape("a<b> & \"c\""), "a&lt;b&gt; &amp; &quot;c&quot;");
  EXPECT_THAT(html_page("<t>", "<p>x</p>"), HasSubstr("<title>&lt;t&gt;</title>"));
}

TEST(HtmlTest, ImagesAreInlineBase64) {
  const std::string bytes = "\x89PNG";
  EXPECT_THAT(html_image(std::as_bytes(std::span(bytes.data(), bytes.size())), "x"),
              HasSubstr("data:image/png;base64,iVBORw=="));
}

TEST(SvgPlotTest, CurvesRunFromCornerToCornerOfRoundAxes) {
  const std::vector<LineSeries> lines{{"loss", {0, 50, 100}, {0.0, 0.5, 1.0}}};
  const std::string svg = svg_line_plot("Loss", "step", lines);
  EXPECT_THAT(svg, HasSubstr("points=\"70.0,256.0 380.0,136.0 690.0,16.0 \""));
  EXPECT_THAT(svg, HasSubstr(">100</text>"));
  EXPECT_THAT(svg, HasSubstr(">loss</text>"));
}

TEST(SvgPlotTest, LogarithmicAxesShowTheValuesThemselves) {
  const std::vector<LineSeries> lines{{"loss", {0, 1, 2}, {0.01, 0.1, 1.0}}};
  const std::string svg = svg_line_plot("Loss", "step", lines, /*log_y=*/true);
  EXPECT_THAT(svg, HasSubstr(">0.01</text>"));
  EXPECT_THAT(svg, HasSubstr("380.0,136.0"));
}

TEST(SvgPlotTest, LeavesOutValuesThatAreNotFinite) {
  const std::vector<LineSeries> lines{{"a", {0, 1, 2}, {1.0, NAN, 2.0}}};
  const std::string svg = svg_line_plot("A", "step", lines);
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  const std::vector<LineSeries> none{{"a", {0}, {NAN}}};
  EXPECT_THAT(svg_line_plot("A", "step", none), HasSubstr("A: no values"));
}

TEST(SvgPlotTest, OneValueOrEqualOnesStillHaveAnAxis) {
  const std::vector<LineSeries> lines{{"a", {5}, {3.0}}, {"b", {5}, {3.0}}};
  const std::string svg = svg_line_plot("A", "step", lines);
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_THAT(svg, Not(HasSubstr("inf")));
}

}  // namespace
}  // namespace voxloom
