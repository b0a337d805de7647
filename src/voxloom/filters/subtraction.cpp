#include "voxloom/filters/subtraction.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "voxloom/core/error.h"
#include "voxloom/core/parallel.h"
#include "voxloom/filters/lanes.h"

namespace voxloom::filters {
namespace {

/// Frames nearer than this show the device in nearly the same place.
constexpr double kTooRecent_s = 0.3;
constexpr float kRevealRate = 0.3F;
constexpr int64_t kThumbnailStep = 8;
/// Correlation of two frames' thumbnails above which they show the same view.
constexpr double kAlike = 0.85;

/// -ln of a frame; black is cut at half a grey level of 8 bits.
VOXLOOM_FOR_EACH_ISA void attenuation(const float* pixels,
                                      int64_t first,
                                      int64_t last,
                                      float* out) {
  for (int64_t i = first; i < last; ++i) {
    out[i] = -log_positive(std::max(pixels[i], 0.5F / 255.0F));
  }
}

VOXLOOM_FOR_EACH_ISA void difference(const float* live,
                                     const float* background,
                                     float offset,
                                     int64_t first,
                                     int64_t last,
                                     float* out) {
  for (int64_t i = first; i < last; ++i) out[i] = live[i] - background[i] - offset;
}

VOXLOOM_FOR_EACH_ISA void update(const float* frame,
                                 float offset,
                                 float limit,
                                 float rate,
                                 int64_t first,
                                 int64_t last,
                                 float* background) {
  for (int64_t i = first; i < last; ++i) {
    const float d = frame[i] - offset - background[i];
    const float share = d > limit ? 0.0F : (d < -limit ? std::max(rate, kRevealRate) : rate);
    background[i] += share * d;
  }
}

/// Means of 8x8 px: what phases are told apart by.
std::vector<float> thumbnail_of(const std::vector<float>& half, int64_t width, int64_t height) {
  constexpr int64_t kStep = kThumbnailStep / 2;
  const int64_t w = width / 2, h = height / 2;
  std::vector<float> small;
  for (int64_t y = 0; y + kStep <= h; y += kStep) {
    for (int64_t x = 0; x + kStep <= w; x += kStep) {
      float sum = 0.0F;
      for (int64_t v = 0; v < kStep; ++v) {
        for (int64_t u = 0; u < kStep; ++u) sum += half[static_cast<size_t>((y + v) * w + x + u)];
      }
      small.push_back(sum);
    }
  }
  return small;
}

struct Spread {
  float median = 0.0F, sigma = 0.0F;
};

/// Median and robust standard deviation of live - background on a grid.
Spread spread_of(const FrameView& view,
                 std::span<const float> live,
                 std::span<const float> background) {
  constexpr int64_t kStride = 5;
  std::vector<float> values;
  for (int64_t y = kStride / 2; y < view.height; y += kStride) {
    for (int64_t x = kStride / 2; x < view.width; x += kStride) {
      const auto i = static_cast<size_t>(y * view.width + x);
      if (view.inside(i)) values.push_back(live[i] - background[i]);
    }
  }
  Spread spread;
  spread.median = quantile(values, 0.5);
  for (float& v : values) v = std::abs(v - spread.median);
  spread.sigma = 1.4826F * quantile(values, 0.5);
  return spread;
}

void for_pixels(size_t count, const std::function<void(int64_t, int64_t)>& body) {
  parallel_for(0, static_cast<int64_t>(count), 1 << 15, body);
}

}  // namespace

Subtraction::Subtraction(const infer::SubtractOptions& options,
                         const RegistrationOptions& registration)
    : options_(options), registration_(registration) {
  VOXLOOM_CHECK(
      options.rate > 0.0 && options.rate <= 1.0 && options.best >= 1 && options.window_s > 0.0,
      ErrorCode::kInvalidArgument,
      "subtraction: the rate must lie within (0, 1], the frame count and the window be "
      "positive, got {}, {} and {} s",
      options.rate,
      options.best,
      options.window_s);
}

void Subtraction::reset() {
  frames_ = 0;
  past_.clear();
}

bool Subtraction::lost(const MotionField& motion, double ncc) const {
  // Without control points there is nothing to follow. At a low dose single squares drown in noise
  // while the frames as a whole still look alike.
  return motion.tried >= 4 && 2 * static_cast<int64_t>(motion.points.size()) < motion.tried &&
         ncc < kAlike;
}

const SubtractionState& Subtraction::step(const FrameView& view,
                                          double time_s,
                                          std::span<float> out) {
  check_output_size(view, out, "subtraction");
  if (live_.width != view.width || live_.height != view.height) reset();
  state_ = {};
  log_.resize(view.size());
  for_pixels(view.size(), [&](int64_t first, int64_t last) {
    attenuation(view.pixels.data(), first, last, log_.data());
  });
  live_.assign(log_, view.width, view.height);
  std::fill(out.begin(), out.end(), 0.0F);
  if (options_.background == infer::Background::kRunning) {
    running(view, out);
  } else {
    phase(view, time_s, out);
  }
  return state_;
}

void Subtraction::running(const FrameView& view, std::span<float> out) {
  if (frames_ == 0) {
    background_ = live_;
    frames_ = 1;
    state_.reason = "no background yet";
    return;
  }
  state_.motion = find_motion(background_, live_, view.field, registration_);
  state_.ncc = correlation(thumbnail_of(background_.half, view.width, view.height),
                           thumbnail_of(live_.half, view.width, view.height));
  if (lost(state_.motion, state_.ncc)) {
    background_ = live_;
    frames_ = 1;
    state_.reason = "background lost";
    return;
  }
  moved_.resize(view.size());
  warp(state_.motion, background_.full, view.width, view.height, 1.0F, moved_);
  const Spread spread = spread_of(view, log_, moved_);
  for_pixels(view.size(), [&](int64_t first, int64_t last) {
    difference(log_.data(), moved_.data(), spread.median, first, last, out.data());
  });
  state_.valid = true;

  // The frame in the background's own place: that one is never resampled, so it stays sharp.
  warp(state_.motion, log_, view.width, view.height, -1.0F, moved_);
  ++frames_;
  const double rate = std::max(options_.rate, 1.0 / static_cast<double>(frames_));
  std::vector<float>& full = background_.full;
  for_pixels(view.size(), [&](int64_t first, int64_t last) {
    update(moved_.data(),
           spread.median,
           3.0F * spread.sigma,
           static_cast<float>(rate),
           first,
           last,
           full.data());
  });
  background_.update();
}

void Subtraction::phase(const FrameView& view, double time_s, std::span<float> out) {
  std::vector<float> thumbnail = thumbnail_of(live_.half, view.width, view.height);
  while (!past_.empty() && time_s - past_.front().time_s > options_.window_s) past_.pop_front();
  std::vector<std::pair<double, size_t>> ranked;
  for (size_t k = 0; k < past_.size(); ++k) {
    if (time_s - past_[k].time_s < kTooRecent_s) continue;
    ranked.emplace_back(-correlation(thumbnail, past_[k].thumbnail), k);
  }
  std::sort(ranked.begin(), ranked.end());
  ranked.resize(std::min(ranked.size(), static_cast<size_t>(options_.best)));
  state_.reason = "no background yet";
  std::vector<float> lowest;
  for (const auto& [score, k] : ranked) {
    MotionField motion = find_motion(past_[k].frame, live_, view.field, registration_);
    if (lost(motion, -score)) {
      state_.reason = "background lost";
      continue;
    }
    moved_.resize(view.size());
    warp(motion, past_[k].frame.full, view.width, view.height, 1.0F, moved_);
    const float gain = spread_of(view, log_, moved_).median;
    if (lowest.empty()) {
      state_.ncc = -score;
      state_.motion = std::move(motion);
      lowest = moved_;
      for (float& v : lowest) v += gain;
    } else {
      for (size_t i = 0; i < lowest.size(); ++i) lowest[i] = std::min(lowest[i], moved_[i] + gain);
    }
  }
  if (!lowest.empty()) {
    state_.valid = true;
    state_.reason.clear();
    // The lowest of several noisy values lies below their mean.
    const float offset = spread_of(view, log_, lowest).median;
    for_pixels(view.size(), [&](int64_t first, int64_t last) {
      difference(log_.data(), lowest.data(), offset, first, last, out.data());
    });
  } else if (state_.reason == "background lost") {
    past_.clear();
  }
  past_.push_back({time_s, live_, std::move(thumbnail)});
}

}  // namespace voxloom::filters
