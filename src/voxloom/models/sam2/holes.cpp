#include "voxloom/models/sam2/holes.h"

#include <vector>

#include <ATen/ATen.h>

#include "voxloom/core/error.h"
#include "voxloom/tensor/view.h"

namespace voxloom::models::sam2 {
namespace {

/// Collects the 8-connected background region around `start`; marks it as visited.
void flood(const float* logits,
           int64_t height,
           int64_t width,
           int64_t start,
           std::vector<uint8_t>& visited,
           std::vector<int64_t>& region) {
  region.assign(1, start);
  visited[static_cast<size_t>(start)] = 1;
  for (size_t next = 0; next < region.size(); ++next) {
    const int64_t y = region[next] / width;
    const int64_t x = region[next] % width;
    for (int64_t ny = std::max<int64_t>(y - 1, 0); ny <= std::min(y + 1, height - 1); ++ny) {
      for (int64_t nx = std::max<int64_t>(x - 1, 0); nx <= std::min(x + 1, width - 1); ++nx) {
        const int64_t n = ny * width + nx;
        if (visited[static_cast<size_t>(n)] == 0 && logits[n] <= 0.0F) {
          visited[static_cast<size_t>(n)] = 1;
          region.push_back(n);
        }
      }
    }
  }
}

}  // namespace

at::Tensor fill_holes(const at::Tensor& logits, int64_t max_area) {
  VOXLOOM_CHECK(logits.dim() == 4 && logits.size(0) == 1 && logits.size(1) == 1,
                ErrorCode::kInvalidArgument,
                "fill holes: logits must be [1, 1, H, W], got {}",
                tensor::shape_str(logits));
  if (max_area <= 0) return logits;
  const at::Tensor source = logits.detach().to(at::kCPU, at::kFloat).contiguous();
  const float* values = source.const_data_ptr<float>();
  const int64_t height = source.size(2);
  const int64_t width = source.size(3);
  std::vector<uint8_t> visited(static_cast<size_t>(height * width), 0);
  std::vector<int64_t> region, holes;
  for (int64_t i = 0; i < height * width; ++i) {
    if (visited[static_cast<size_t>(i)] != 0 || values[i] > 0.0F) continue;
    flood(values, height, width, i, visited, region);
    if (static_cast<int64_t>(region.size()) <= max_area) {
      holes.insert(holes.end(), region.begin(), region.end());
    }
  }
  if (holes.empty()) return logits;
  at::Tensor filled = source.clone();
  float* out = filled.data_ptr<float>();
  for (const int64_t i : holes) out[i] = kFilledLogit;
  return filled.to(logits.device());
}

}  // namespace voxloom::models::sam2
