#include <cmath>
#include <numbers>

#include <opencv2/imgproc.hpp>

#include "voxloom/filters/opencv_filters.h"
#include "voxloom/filters/opencv_glue.h"

namespace voxloom::filters {
namespace {

cv::Mat closed_by_disc(const cv::Mat& image, int64_t diameter) {
  const int side = static_cast<int>(diameter);
  const cv::Mat disc = cv::getStructuringElement(cv::MORPH_ELLIPSE, cv::Size(side, side));
  cv::Mat closed;
  cv::morphologyEx(
      image, closed, cv::MORPH_CLOSE, disc, cv::Point(-1, -1), 1, cv::BORDER_REPLICATE);
  return closed;
}

/// A line of `length` px through the centre of a square, one px for every step along its longer
/// side.
cv::Mat line_element(int64_t length, double angle) {
  const int side = static_cast<int>(length), half = side / 2;
  cv::Mat element = cv::Mat::zeros(side, side, CV_8U);
  const double c = std::cos(angle), s = std::sin(angle);
  const double longer = std::max(std::abs(c), std::abs(s));
  for (int k = -half; k <= half; ++k) {
    // All lines reach equally far; a diagonal one has fewer pixels.
    if (std::abs(k) / longer > half + 0.5) continue;
    const auto x = static_cast<int>(std::lround(half + k * c / longer));
    const auto y = static_cast<int>(std::lround(half + k * s / longer));
    element.at<uint8_t>(y, x) = 1;
  }
  return element;
}

void subtract_and_scale(const FrameView& view,
                        const cv::Mat& closed,
                        const cv::Mat& floor,
                        std::span<float> out) {
  const auto* high = closed.ptr<float>();
  const auto* low = floor.ptr<float>();
  for (size_t i = 0; i < out.size(); ++i) out[i] = std::max(0.0F, high[i] - low[i]);
  std::vector<float> values = sample_inside(view, out, 1);
  const float top = quantile(values, 0.995);
  const float scale = top > 0.0F ? 1.0F / top : 0.0F;
  for (float& v : out) v = std::min(1.0F, v * scale);
}

}  // namespace

void bottom_hat(const FrameView& view,
                const infer::BottomHatOptions& options,
                std::span<float> out) {
  check_output_size(view, out, "bottomhat");
  VOXLOOM_CHECK(options.diameter >= 2 && options.diameter <= 255,
                ErrorCode::kInvalidArgument,
                "bottomhat: the diameter must lie within [2, 255] px, got {}",
                options.diameter);
  with_opencv("bottomhat", [&] {
    const cv::Mat image = as_mat(view);
    subtract_and_scale(view, closed_by_disc(image, options.diameter), image, out);
  });
}

void line_hat(const FrameView& view, const infer::LineHatOptions& options, std::span<float> out) {
  check_output_size(view, out, "linehat");
  VOXLOOM_CHECK(options.length >= 3 && options.length % 2 == 1 && options.length <= 255 &&
                    options.orientations >= 2,
                ErrorCode::kInvalidArgument,
                "linehat: the length must be odd within [3, 255] px and there must be 2 "
                "orientations or more, got {} and {}",
                options.length,
                options.orientations);
  with_opencv("linehat", [&] {
    const cv::Mat image = as_mat(view);
    cv::Mat lowest, closed;
    for (int64_t k = 0; k < options.orientations; ++k) {
      const double angle =
          std::numbers::pi * static_cast<double>(k) / static_cast<double>(options.orientations);
      cv::morphologyEx(image,
                       closed,
                       cv::MORPH_CLOSE,
                       line_element(options.length, angle),
                       cv::Point(-1, -1),
                       1,
                       cv::BORDER_REPLICATE);
      if (k == 0) {
        lowest = closed.clone();
      } else {
        cv::min(lowest, closed, lowest);
      }
    }
    subtract_and_scale(view, closed_by_disc(image, options.length), lowest, out);
  });
}

}  // namespace voxloom::filters
