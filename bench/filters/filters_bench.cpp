// Milliseconds a frame of 512x512 for each filter, and for the chain of live video.
#include <cmath>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "voxloom/core/random.h"
#include "voxloom/filters/filter_chain.h"

namespace voxloom::filters {
namespace {

/// A breathing, noisy background with a wire that moves.
std::vector<image::Frame> video(int64_t side, int count) {
  std::vector<image::Frame> frames;
  Rng rng(1);
  for (int t = 0; t < count; ++t) {
    image::Frame frame{.width = side, .height = side, .number = t, .time_s = t / 15.0};
    const double shift = 2.0 * std::sin(t / 4.0);
    for (int64_t y = 0; y < side; ++y) {
      for (int64_t x = 0; x < side; ++x) {
        const double u = static_cast<double>(x), v = static_cast<double>(y) + shift;
        double value = 0.6 + 0.08 * std::sin(u / 9.0 + 1.3 * std::sin(v / 17.0));
        value += 0.06 * std::sin(v / 11.0 + 0.8 * std::cos(u / 23.0));
        const double off = u - 0.6 * v - 3.0 * t;
        value *= 1.0 - 0.3 * std::exp(-off * off / 4.0);
        frame.pixels.push_back(static_cast<float>(value + 0.02 * rng.normal()));
      }
    }
    frames.push_back(std::move(frame));
  }
  return frames;
}

void run_chain(benchmark::State& state, const std::string& text) {
  const auto frames = video(state.range(0), 16);
  FilterChain chain({.steps = infer::parse_filter_chain(text), .find_field = false});
  size_t t = 0;
  int64_t number = 0;
  bool valid = true;
  for (const auto& frame : frames) {
    const FilteredFrame result = chain.step(frame);
    for (const FilterChannel& channel : result.channels)
      valid = valid && (channel.valid || channel.reason == "no background yet");
  }
  if (!valid) state.SkipWithError("the background was lost");
  for (auto _ : state) {
    image::Frame frame = frames[t++ % frames.size()];
    frame.time_s = static_cast<double>(16 + number++) / 15.0;
    benchmark::DoNotOptimize(chain.step(frame).image.pixels.data());
  }
  state.counters["pixels"] = benchmark::Counter(static_cast<double>(frames[0].pixels.size()),
                                                benchmark::Counter::kIsIterationInvariantRate);
}

const int kRegistered = [] {
  for (const char* text : {"none",
                           "recursive:0.3",
                           "subtract",
                           "subtract:phase",
                           "clahe:2,8x8",
                           "frangi:1,1.5,2",
                           "live",
                           "nvca",
                           "gamma",
                           "bottomhat:11",
                           "linehat:11",
                           "nlm:1"}) {
    benchmark::RegisterBenchmark(text, [text](benchmark::State& state) { run_chain(state, text); })
        ->ArgName("edge")
        ->Arg(512)
        ->UseRealTime()
        ->Unit(benchmark::kMillisecond);
  }
  return 0;
}();

}  // namespace
}  // namespace voxloom::filters
