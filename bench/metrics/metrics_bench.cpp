// All numbers of one frame, and their parts: a wire with a shifted, broken prediction and specks.
#include <cmath>
#include <cstdint>
#include <vector>

#include <benchmark/benchmark.h>
#include <nlohmann/json.hpp>

#include "voxloom/core/random.h"
#include "voxloom/image/skeleton.h"
#include "voxloom/metrics/davis.h"
#include "voxloom/metrics/wire_metrics.h"
#include "voxloom/metrics/wire_table.h"

namespace voxloom {
namespace {

using Mask = std::vector<uint8_t>;

Mask wire(int64_t edge, double shift, bool noisy) {
  Mask mask(static_cast<size_t>(edge * edge), 0);
  const auto side = static_cast<double>(edge);
  for (int64_t y = 0; y < edge; ++y) {
    if (noisy && y % 100 < 8) continue;
    const double x =
        0.5 * side + 0.3 * side * std::sin(6.0 * static_cast<double>(y) / side) + shift;
    for (auto u = static_cast<int64_t>(x - 2.0); u < static_cast<int64_t>(x + 2.0); ++u) {
      mask[static_cast<size_t>(y * edge + u)] = 1;
    }
  }
  Rng rng(1);
  for (int i = 0; noisy && i < 100; ++i) mask[static_cast<size_t>(rng.below(mask.size()))] = 1;
  return mask;
}

void measure(benchmark::State& state) {
  const int64_t edge = state.range(0);
  const Mask truth = wire(edge, 0.0, false), predicted = wire(edge, 1.0, true);
  for (auto _ : state) {
    benchmark::DoNotOptimize(metrics::measure_wire(
        {.width = edge, .height = edge, .truth = truth, .predicted = predicted}));
  }
}
BENCHMARK(measure)->ArgName("edge")->Arg(512)->Arg(1024)->Unit(benchmark::kMillisecond);

// The worst case for thinning and distances: half of all pixels, at random.
void measure_noise(benchmark::State& state) {
  const int64_t edge = state.range(0);
  Rng rng(2);
  Mask truth(static_cast<size_t>(edge * edge)), predicted(truth.size());
  for (auto& v : truth) v = rng.uniform() < 0.5;
  for (auto& v : predicted) v = rng.uniform() < 0.5;
  for (auto _ : state) {
    benchmark::DoNotOptimize(metrics::measure_wire(
        {.width = edge, .height = edge, .truth = truth, .predicted = predicted}));
  }
}
BENCHMARK(measure_noise)->ArgName("edge")->Arg(512)->Unit(benchmark::kMillisecond);

void thin(benchmark::State& state) {
  const auto thinning = static_cast<image::Thinning>(state.range(0));
  const Mask mask = state.range(1) != 0 ? Mask(512 * 512, 1) : wire(512, 1.0, true);
  for (auto _ : state) benchmark::DoNotOptimize(image::skeletonize(mask, 512, 512, thinning));
  state.SetLabel(std::string(image::thinning_name(thinning)));
}
BENCHMARK(thin)
    ->ArgNames({"thinning", "full"})
    ->ArgsProduct({{0, 1, 2, 3}, {0, 1}})
    ->Unit(benchmark::kMillisecond);

void table_to_json(benchmark::State& state) {
  const Mask truth = wire(128, 0.0, false), predicted = wire(128, 1.0, true);
  metrics::WireTable table;
  for (int i = 0; i < 500; ++i) {
    table.add(std::to_string(i),
              std::to_string(i / 20),
              metrics::measure_wire(
                  {.width = 128, .height = 128, .truth = truth, .predicted = predicted}));
  }
  for (auto _ : state) benchmark::DoNotOptimize(table.to_json());
}
BENCHMARK(table_to_json)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace voxloom
