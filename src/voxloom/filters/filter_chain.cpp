#include "voxloom/filters/filter_chain.h"

#include <algorithm>
#include <chrono>
#include <functional>

#include "voxloom/core/error.h"
#include "voxloom/filters/clahe.h"
#include "voxloom/filters/frangi.h"
#include "voxloom/filters/gamma.h"
#include "voxloom/filters/noise_model.h"
#include "voxloom/filters/opencv_filters.h"
#include "voxloom/filters/outside_fill.h"
#include "voxloom/filters/recursive.h"
#include "voxloom/filters/subtraction.h"

namespace voxloom::filters {
namespace {

using infer::ObjectPolarity;

/// Frames between two looks at collimator, text, gain and dose: about a second.
constexpr int64_t kLookAgain = 16;

/// What steps share.
struct Stream {
  image::Frame frame;
  FieldOfView field;
  OutsideFill outside;
  NoiseModel noise;  ///< Of the frame as it comes in.
  std::vector<FilterChannel> channels;

  [[nodiscard]] FrameView view() const { return FrameView(frame, field.mask); }
  /// A channel with room for its pixels; `channels` is reserved, so it stays where it is.
  FilterChannel& add(const std::string& name) {
    channels.push_back({name, std::vector<float>(frame.pixels.size()), true, {}});
    return channels.back();
  }
};

/// One step: what it does, and how it forgets.
struct RunningStep {
  std::string name;
  std::function<void(Stream&)> run;
  std::function<void()> reset = [] {};
};

void need_opencv(const std::string& name) {
  VOXLOOM_CHECK(has_opencv(),
                ErrorCode::kUnsupported,
                "filter '{}': this build must have OpenCV (VOXLOOM_OPENCV), got none",
                name);
}

/// Builds the step for each kind of options.
struct MakeStep {
  std::string name;

  RunningStep operator()(const infer::ClaheOptions& o) const {
    return {name, [o](Stream& s) { clahe(s.view(), o, s.frame.pixels); }};
  }
  RunningStep operator()(const infer::NonLocalMeansOptions& o) const {
    need_opencv(name);
    return {name, [o](Stream& s) {
              // Earlier steps change the noise, so it is measured anew.
              const NoiseModel noise = estimate_noise(s.view());
              non_local_means(s.view(), o, noise, s.frame.pixels);
            }};
  }
  RunningStep operator()(const infer::GammaOptions& o) const {
    return {name,
            [o](Stream& s) { apply_gamma(s.view(), adaptive_gamma(s.view(), o), s.frame.pixels); }};
  }
  RunningStep operator()(const infer::BottomHatOptions& o) const {
    need_opencv(name);
    return {name, [o, n = name](Stream& s) { bottom_hat(s.view(), o, s.add(n).pixels); }};
  }
  RunningStep operator()(const infer::LineHatOptions& o) const {
    need_opencv(name);
    return {name, [o, n = name](Stream& s) { line_hat(s.view(), o, s.add(n).pixels); }};
  }
  RunningStep operator()(const infer::FrangiOptions& o) const {
    const auto filter = std::make_shared<Frangi>(o);
    return {name, [filter, n = name](Stream& s) { (*filter)(s.view(), s.add(n).pixels); }};
  }
  RunningStep operator()(const infer::SubtractOptions& o) const {
    const auto filter = std::make_shared<Subtraction>(o);
    return {name,
            [filter, n = name](Stream& s) {
              FilterChannel& channel = s.add(n);
              const auto& state = filter->step(s.view(), s.frame.time_s, channel.pixels);
              channel.valid = state.valid;
              channel.reason = state.reason;
            },
            [filter] { filter->reset(); }};
  }
  RunningStep operator()(const infer::RecursiveOptions& o) const {
    const auto filter = std::make_shared<RecursiveFilter>(o);
    return {name,
            [filter](Stream& s) { filter->step(s.frame.pixels, s.noise); },
            [filter] { filter->reset(); }};
  }
  RunningStep operator()(const infer::NvcaOptions& o) const {
    const auto filter = std::make_shared<Nvca>(o);
    return {name,
            [filter](Stream& s) {
              filter->step(s.frame.pixels, s.frame.width, s.frame.height, s.noise);
            },
            [filter] { filter->reset(); }};
  }
};

double ms_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

}  // namespace

struct FilterChain::State {
  infer::FilterChainOptions options;
  std::vector<RunningStep> steps;
  Stream stream;
  int64_t seen = 0;  ///< Frames since reset().
  bool invert = false;
};

FilterChain::FilterChain(infer::FilterChainOptions options) : state_(std::make_unique<State>()) {
  state_->options = std::move(options);
  for (const infer::FilterStep& step : state_->options.steps) {
    state_->steps.push_back(std::visit(MakeStep{infer::filter_name(step)}, step));
  }
}
FilterChain::~FilterChain() = default;
FilterChain::FilterChain(FilterChain&&) noexcept = default;
FilterChain& FilterChain::operator=(FilterChain&&) noexcept = default;

void FilterChain::reset() {
  for (RunningStep& step : state_->steps) step.reset();
  state_->seen = 0;
  state_->invert = false;
  state_->stream = {};
}

FilteredFrame FilterChain::step(const image::Frame& frame) {
  using std::chrono::steady_clock;
  State& s = *state_;
  (void)FrameView(frame);  // Checks its size.
  if (frame.width != s.stream.frame.width || frame.height != s.stream.frame.height) reset();
  FilteredFrame result;
  auto start = steady_clock::now();
  s.stream.frame = frame;
  s.stream.channels.clear();
  s.stream.channels.reserve(s.steps.size());
  const bool look = s.seen % kLookAgain == 0;
  if (look && s.options.find_field) {
    FieldOfView field = find_field_of_view(FrameView(frame));
    if (s.seen == 0 || field.mask != s.stream.field.mask) {
      s.stream.outside =
          field.mask.empty() ? OutsideFill() : OutsideFill(field.mask, frame.width, frame.height);
    }
    s.stream.field = std::move(field);
  }
  if (s.seen == 0) {
    s.invert = s.options.polarity == ObjectPolarity::kBright;
    if (s.options.polarity == ObjectPolarity::kAuto) {
      s.invert = check_polarity(s.stream.view()).bright_objects();
    }
  }
  if (s.invert) {
    for (float& v : s.stream.frame.pixels) v = 1.0F - v;
  }
  s.stream.outside.fill(s.stream.frame.pixels);
  if (look) s.stream.noise = estimate_noise(s.stream.view());
  ++s.seen;
  result.times_ms.emplace_back("field", ms_since(start));

  for (RunningStep& step : s.steps) {
    start = steady_clock::now();
    step.run(s.stream);
    result.times_ms.emplace_back(step.name, ms_since(start));
  }
  result.channels = std::move(s.stream.channels);
  for (FilterChannel& channel : result.channels) s.stream.outside.blank(channel.pixels);
  result.image = std::move(s.stream.frame);  // Its size stays for the next frame's check.
  // Text is painted over by its surroundings and stays so: black bars would look like devices.
  const FieldOfView& field = s.stream.field;
  for (size_t i = 0; i < field.mask.size(); ++i) {
    if (field.mask[i] == 0 && (field.text.empty() || field.text[i] == 0)) {
      result.image.pixels[i] = 0.0F;
    }
  }
  return result;
}

const infer::FilterChainOptions& FilterChain::options() const {
  return state_->options;
}
const FieldOfView& FilterChain::field() const {
  return state_->stream.field;
}
bool FilterChain::inverts() const {
  return state_->invert;
}

}  // namespace voxloom::filters
