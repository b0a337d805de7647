#pragma once

#include <span>

#include "voxloom/filters/frame_view.h"
#include "voxloom/infer/filter_options.h"

namespace voxloom::filters {

/// g = ln 0.5 / ln(median inside the field), within [low, high]: x^g has its median at 0.5. 1 for
/// an image whose median is 0 or 1.
[[nodiscard]] double adaptive_gamma(const FrameView& view, const infer::GammaOptions& options);

/// x^gamma, values clipped to [0, 1] first. out may be the view's own pixels.
void apply_gamma(const FrameView& view, double gamma, std::span<float> out);

}  // namespace voxloom::filters
