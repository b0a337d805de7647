#include "voxloom/core/error.h"
#include "voxloom/core/parallel.h"
#include "voxloom/filters/lanes.h"
#include "voxloom/filters/recursive.h"

namespace voxloom::filters {
namespace {

constexpr int64_t kReach = 2;  ///< Pixels to each side.
constexpr size_t kFrames = 5;

/// One row: `rows` points at the first pixel of the padded frames' rows to look at.
VOXLOOM_FOR_EACH_ISA void average_row(const float* const* rows,
                                      int64_t count,
                                      const float* centre,
                                      int64_t width,
                                      float gain,
                                      float offset,
                                      float reach,
                                      float* out) {
  constexpr int64_t kBlock = 32;
  for (int64_t x0 = 0; x0 < width; x0 += kBlock) {
    const int64_t n = std::min(kBlock, width - x0);
    float limit[kBlock], sum[kBlock] = {}, weight[kBlock] = {};
    for (int64_t i = 0; i < n; ++i) {
      const float variance = std::max(gain * std::max(centre[x0 + i], 0.0F) + offset, 0.0F);
      limit[i] = reach * std::sqrt(variance);
    }
    for (int64_t k = 0; k < count; ++k) {
      for (int64_t dx = 0; dx <= 2 * kReach; ++dx) {
        const float* p = rows[k] + x0 + dx;
        for (int64_t i = 0; i < n; ++i) {
          const float in = std::abs(p[i] - centre[x0 + i]) <= limit[i] ? 1.0F : 0.0F;
          sum[i] += in * p[i];
          weight[i] += in;
        }
      }
    }
    // The centre itself always counts, so that no weight is 0.
    for (int64_t i = 0; i < n; ++i) out[x0 + i] = sum[i] / weight[i];
  }
}

}  // namespace

Nvca::Nvca(const infer::NvcaOptions& options) : options_(options) {
  VOXLOOM_CHECK(options.reach > 0.0,
                ErrorCode::kInvalidArgument,
                "nvca: the reach must be positive, got {}",
                options.reach);
}

void Nvca::reset() {
  frames_.clear();
}

void Nvca::step(std::span<float> frame, int64_t width, int64_t height, const NoiseModel& noise) {
  VOXLOOM_CHECK(frame.size() == static_cast<size_t>(width * height) && !frame.empty(),
                ErrorCode::kInvalidArgument,
                "nvca: a frame of {}x{} must have as many pixels, got {}",
                width,
                height,
                frame.size());
  const int64_t stride = width + 2 * kReach;
  std::vector<float> padded;
  if (frames_.size() == kFrames) {
    padded = std::move(frames_.front());
    frames_.erase(frames_.begin());
  }
  padded.resize(static_cast<size_t>(stride * (height + 2 * kReach)));
  if (!frames_.empty() && frames_.back().size() != padded.size()) frames_.clear();
  for (int64_t y = -kReach; y < height + kReach; ++y) {
    const float* from = frame.data() + std::clamp<int64_t>(y, 0, height - 1) * width;
    float* to = padded.data() + (y + kReach) * stride;
    std::fill(to, to + kReach, from[0]);
    std::copy(from, from + width, to + kReach);
    std::fill(to + kReach + width, to + stride, from[width - 1]);
  }
  frames_.push_back(std::move(padded));
  parallel_for(0, height, 8, [&](int64_t first, int64_t last) {
    std::vector<const float*> rows;
    for (int64_t y = first; y < last; ++y) {
      rows.clear();
      for (const auto& past : frames_) {
        for (int64_t dy = 0; dy <= 2 * kReach; ++dy)
          rows.push_back(past.data() + (y + dy) * stride);
      }
      const float* centre = frames_.back().data() + (y + kReach) * stride + kReach;
      average_row(rows.data(),
                  static_cast<int64_t>(rows.size()),
                  centre,
                  width,
                  static_cast<float>(noise.gain),
                  static_cast<float>(noise.offset),
                  static_cast<float>(options_.reach),
                  frame.data() + y * width);
    }
  });
}

}  // namespace voxloom::filters
