#include "voxloom/infer_ml/slice_scores.h"

#include <algorithm>

namespace voxloom::infer_ml {

void SliceScores::add(int64_t slice, const at::Tensor& low, bool present) {
  const auto height = low.size(2), width = low.size(3);
  auto p = present ? (low.to(torch::kCPU, torch::kFloat32).sigmoid() * 255.0)
                         .round()
                         .to(torch::kInt16)
                         .view({height, width})
                         .contiguous()
                   : torch::zeros({height, width}, torch::kInt16);
  auto& kept = slices_[slice];
  kept.sum = kept.visits == 0 ? p : kept.sum + p;
  ++kept.visits;
}

std::optional<infer::ObjectScores> SliceScores::result() const {
  infer::ScoreSums sums;
  for (const auto& [slice, kept] : slices_) {
    const auto height = kept.sum.size(0), width = kept.sum.size(1);
    const auto* values = kept.sum.data_ptr<int16_t>();
    const double certain = 255.0 * static_cast<double>(kept.visits);
    int64_t x0 = width, y0 = height, x1 = -1, y1 = -1;
    for (int64_t y = 0; y < height; ++y) {
      for (int64_t x = 0; x < width; ++x) {
        if (2.0 * values[y * width + x] <= certain) continue;
        x0 = std::min(x0, x);
        x1 = std::max(x1, x);
        y0 = std::min(y0, y);
        y1 = y;
      }
    }
    if (x1 < 0) continue;
    const auto columns = infer::dilated(x0, x1, width), rows = infer::dilated(y0, y1, height);
    for (int64_t y = rows[0]; y <= rows[1]; ++y) {
      for (int64_t x = columns[0]; x <= columns[1]; ++x) {
        sums.add(values[y * width + x] / certain);
      }
    }
  }
  return sums.result();
}

}  // namespace voxloom::infer_ml
