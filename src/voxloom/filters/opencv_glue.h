#pragma once

// For the OpenCV sources of this layer alone: not part of its headers.

#include <algorithm>
#include <span>
#include <vector>

#include <opencv2/core.hpp>

#include "voxloom/core/error.h"
#include "voxloom/core/parallel.h"
#include "voxloom/filters/frame_view.h"

namespace voxloom::filters {

/// Runs `call`, OpenCV's errors become ours. OpenCV keeps to the thread budget.
template <class Call>
void with_opencv(const char* where, Call call) {
  if (cv::getNumThreads() != thread_budget()) cv::setNumThreads(thread_budget());
  try {
    call();
  } catch (const cv::Exception& e) {
    throw Error(ErrorCode::kInternal, format("{}: {}", where, e.err));
  }
}

/// Grey levels 0 ... `top` of values [0, 1].
template <class Level>
cv::Mat to_levels(const FrameView& view, float top) {
  cv::Mat levels(
      static_cast<int>(view.height), static_cast<int>(view.width), cv::DataType<Level>::type);
  auto* to = levels.ptr<Level>();
  for (size_t i = 0; i < view.size(); ++i) {
    to[i] = static_cast<Level>(std::min(std::max(view.pixels[i], 0.0F), 1.0F) * top + 0.5F);
  }
  return levels;
}

/// A header on the view's pixels; OpenCV only reads them.
inline cv::Mat as_mat(const FrameView& view) {
  return {static_cast<int>(view.height),
          static_cast<int>(view.width),
          CV_32F,
          const_cast<float*>(view.pixels.data())};  // NOLINT(*-const-cast)
}

}  // namespace voxloom::filters
