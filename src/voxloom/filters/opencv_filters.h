#pragma once

#include <span>
#include <vector>

#include "voxloom/filters/frame_view.h"
#include "voxloom/filters/noise_model.h"
#include "voxloom/infer/filter_options.h"

// What OpenCV computes. In a build without it (VOXLOOM_OPENCV off) these throw kUnsupported.

namespace voxloom::filters {

/// Whether this build has OpenCV.
[[nodiscard]] bool has_opencv();

/// Non-local means by cv::fastNlMeansDenoising between the Anscombe transform (photons n = mean /
/// gain of the noise model; read noise joins as in the generalised transform) and its unbiased
/// inverse. The strength is in standard deviations of the noise, which the transform makes equal
/// everywhere. An image without noise is returned as it is. 0.1 to 1 s for 512x512.
void non_local_means(const FrameView& view,
                     const infer::NonLocalMeansOptions& options,
                     const NoiseModel& noise,
                     std::span<float> out);

/// Closing by a disc of `diameter`, minus the image, over the result's 99.5th percentile in the
/// field and clipped to [0, 1]: dark structures that are narrower than the disc.
void bottom_hat(const FrameView& view,
                const infer::BottomHatOptions& options,
                std::span<float> out);

/// Closing by a disc, minus the lowest of the closings by a line in each orientation, normalised as
/// bottom_hat(): a dark line survives the closing along itself, a dark spot none of them.
void line_hat(const FrameView& view, const infer::LineHatOptions& options, std::span<float> out);

}  // namespace voxloom::filters
