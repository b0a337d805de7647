#include "voxloom/filters/recursive.h"

#include "voxloom/core/error.h"
#include "voxloom/core/parallel.h"
#include "voxloom/filters/lanes.h"

namespace voxloom::filters {
namespace {

VOXLOOM_FOR_EACH_ISA void blend_pixels(float* frame,
                                       float* past,
                                       int64_t first,
                                       int64_t last,
                                       float share,
                                       float gain,
                                       float offset,
                                       float inverse_guard2) {
  for (int64_t i = first; i < last; ++i) {
    const float d = past[i] - frame[i];
    const float variance = std::max(gain * std::max(past[i], 0.0F) + offset, 1e-8F);
    const float trust = std::max(0.0F, 1.0F - d * d * inverse_guard2 / variance);
    const float value = frame[i] + share * trust * d;
    frame[i] = value;
    past[i] = value;
  }
}

}  // namespace

RecursiveFilter::RecursiveFilter(const infer::RecursiveOptions& options) : options_(options) {
  VOXLOOM_CHECK(options.past >= 0.0 && options.past < 1.0 && options.guard >= 0.0,
                ErrorCode::kInvalidArgument,
                "recursive filter: the share of the past must lie within [0, 1) and the guard must "
                "not be negative, got {} and {}",
                options.past,
                options.guard);
}

void RecursiveFilter::reset() {
  past_.clear();
}

void RecursiveFilter::step(std::span<float> frame, const NoiseModel& noise) {
  if (past_.size() != frame.size()) {
    past_.assign(frame.begin(), frame.end());
    return;
  }
  // The past is quieter than a frame: its variance is (1 - p) / (1 + p) of a frame's.
  const double share = options_.past;
  const double widen = 1.0 + (1.0 - share) / (1.0 + share);
  const double guard2 = options_.guard * options_.guard * widen;
  const auto inverse = static_cast<float>(guard2 > 0.0 ? 1.0 / guard2 : 0.0);
  parallel_for(0, static_cast<int64_t>(frame.size()), 1 << 15, [&](int64_t first, int64_t last) {
    blend_pixels(frame.data(),
                 past_.data(),
                 first,
                 last,
                 static_cast<float>(share),
                 static_cast<float>(noise.gain),
                 static_cast<float>(noise.offset),
                 inverse);
  });
}

}  // namespace voxloom::filters
