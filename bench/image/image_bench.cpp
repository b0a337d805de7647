#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include <benchmark/benchmark.h>

#include "voxloom/core/random.h"
#include "voxloom/image/components.h"
#include "voxloom/image/distance.h"
#include "voxloom/image/holes.h"
#include "voxloom/image/resize.h"
#include "voxloom/image/window.h"
#include "voxloom/metrics/surface.h"

namespace voxloom::image {
namespace {

void count_voxels(benchmark::State& state, int64_t voxels) {
  state.counters["voxels"] = benchmark::Counter(static_cast<double>(voxels),
                                                benchmark::Counter::kIsIterationInvariantRate);
}

std::vector<uint8_t> noise(int64_t n) {
  Rng rng(1);
  std::vector<uint8_t> v(static_cast<size_t>(n));
  for (auto& x : v) x = static_cast<uint8_t>(rng.below(256));
  return v;
}

// Many balls in a cube: smooth objects as segmenters make them, plus 1 voxel in 10000 of speckle.
std::vector<uint8_t> balls(int64_t edge) {
  std::vector<uint8_t> mask(static_cast<size_t>(edge * edge * edge), 0);
  Rng rng(2);
  for (int ball = 0; ball < 12; ++ball) {
    const auto r = static_cast<int64_t>(rng.uniform(0.05, 0.2) * static_cast<double>(edge));
    int64_t c[3];
    for (auto& v : c) v = r + static_cast<int64_t>(rng.below(static_cast<uint64_t>(edge - 2 * r)));
    for (int64_t z = c[2] - r; z <= c[2] + r; ++z) {
      for (int64_t y = c[1] - r; y <= c[1] + r; ++y) {
        for (int64_t x = c[0] - r; x <= c[0] + r; ++x) {
          const int64_t d =
              (x - c[0]) * (x - c[0]) + (y - c[1]) * (y - c[1]) + (z - c[2]) * (z - c[2]);
          if (d <= r * r) mask[static_cast<size_t>((z * edge + y) * edge + x)] = 1;
        }
      }
    }
  }
  for (size_t i = 0; i < mask.size() / 10000; ++i) mask[rng.below(mask.size())] = 1;
  return mask;
}

// Args: width, height, edge of the square that the network takes.
void BM_PillowBicubic(benchmark::State& state) {
  const int64_t w = state.range(0), h = state.range(1), s = state.range(2);
  const auto in = noise(w * h);
  const PillowBicubic resize(w, h, s, s);
  std::vector<uint8_t> out(static_cast<size_t>(s * s));
  for (auto _ : state) {
    resize(in, out);
    benchmark::DoNotOptimize(out.data());
  }
  count_voxels(state, s * s);
}
BENCHMARK(BM_PillowBicubic)
    ->ArgNames({"w", "h", "edge"})
    ->Args({256, 256, 512})
    ->Args({640, 480, 512})
    ->Args({512, 512, 1024})
    ->Args({1024, 1024, 512})
    ->Unit(benchmark::kMicrosecond);

void BM_Distance(benchmark::State& state) {
  const int64_t n = state.range(0);
  const auto mask = balls(n);
  for (auto _ : state) {
    benchmark::DoNotOptimize(squared_distance_to(mask, {n, n, n}, {0.8, 0.8, 2.5}));
  }
  count_voxels(state, n * n * n);
}
BENCHMARK(BM_Distance)->ArgNames({"edge"})->Arg(128)->Arg(256)->Unit(benchmark::kMillisecond);

void BM_KeepLargest(benchmark::State& state) {
  const int64_t n = state.range(0);
  const auto mask = balls(n);
  for (auto _ : state) {
    benchmark::DoNotOptimize(label_components(mask, {n, n, n}).largest());
  }
  count_voxels(state, n * n * n);
}
BENCHMARK(BM_KeepLargest)->ArgNames({"edge"})->Arg(256)->Arg(512)->Unit(benchmark::kMillisecond);

// The worst case for runs: every other voxel by chance.
void BM_ComponentsOfNoise(benchmark::State& state) {
  const int64_t n = state.range(0);
  auto mask = noise(n * n * n);
  for (auto& v : mask) v = v > 127;
  for (auto _ : state) {
    benchmark::DoNotOptimize(label_components(mask, {n, n, n}).components.size());
  }
  count_voxels(state, n * n * n);
}
BENCHMARK(BM_ComponentsOfNoise)->ArgNames({"edge"})->Arg(128)->Unit(benchmark::kMillisecond);

void BM_FillSmallHoles(benchmark::State& state) {
  Rng rng(3);
  std::vector<float> logits(128 * 128);
  for (size_t i = 0; i < logits.size(); ++i) {
    const double x = static_cast<double>(i % 128), y = static_cast<double>(i / 128);
    logits[i] = static_cast<float>(40 - std::hypot(x - 64, y - 64) + 4 * rng.normal());
  }
  for (auto _ : state) {
    auto copy = logits;
    benchmark::DoNotOptimize(fill_small_holes(copy, 128, 128));
  }
  count_voxels(state, 128 * 128);
}
BENCHMARK(BM_FillSmallHoles)->Unit(benchmark::kMicrosecond);

// Args: 0 a CT preset, 1 percentile.
void BM_ResolveWindow(benchmark::State& state) {
  Geometry g;
  g.size = {512, 512, 64};
  Volume v(g, PixelType::kInt16);
  Rng rng(4);
  for (auto& x : v.as<int16_t>()) x = static_cast<int16_t>(rng.uniform(-1024, 1500));
  const auto source = make_source(std::move(v));
  const auto rule = parse_window(state.range(0) == 0 ? "abdomen" : "percentile");
  for (auto _ : state) benchmark::DoNotOptimize(resolve_window(*source, rule));
  count_voxels(state, g.voxel_count());
}
BENCHMARK(BM_ResolveWindow)
    ->ArgNames({"percentile"})
    ->Arg(0)
    ->Arg(1)
    ->Unit(benchmark::kMillisecond);

void BM_ApplyWindow(benchmark::State& state) {
  Geometry g;
  g.size = {512, 512, 16};
  Volume v(g, PixelType::kInt16);
  Rng rng(5);
  for (auto& x : v.as<int16_t>()) x = static_cast<int16_t>(rng.uniform(-1024, 1500));
  const GreyMap map{{-160, 240}, -160, 240, false, "abdomen"};
  std::vector<uint8_t> out(static_cast<size_t>(g.voxel_count()));
  for (auto _ : state) {
    apply_window(map, v, out);
    benchmark::DoNotOptimize(out.data());
  }
  count_voxels(state, g.voxel_count());
}
BENCHMARK(BM_ApplyWindow)->Unit(benchmark::kMillisecond);

void BM_SurfaceDistances(benchmark::State& state) {
  const int64_t n = state.range(0);
  const auto truth = balls(n);
  auto predicted = truth;
  std::rotate(predicted.begin(), predicted.begin() + 2, predicted.end());
  for (auto _ : state) {
    const auto d = metrics::surface_distances(truth, predicted, {n, n, n}, {1, 1, 2});
    benchmark::DoNotOptimize(d.surface_dice(1.0));
  }
  count_voxels(state, n * n * n);
}
BENCHMARK(BM_SurfaceDistances)->ArgNames({"edge"})->Arg(128)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace voxloom::image
