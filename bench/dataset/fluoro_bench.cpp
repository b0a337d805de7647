#include <cstdint>

#include <benchmark/benchmark.h>

#include "voxloom/core/parallel.h"
#include "voxloom/dataset/fluoro_sequence.h"

namespace voxloom::dataset {
namespace {

FluoroOptions options(int64_t size) {
  FluoroOptions o;
  o.size = size;
  o.frames = 1 << 16;
  o.without_wire = 0.0;
  return o;
}

// Frames of one sequence, in order, with labels. Args: pixels a side, threads, sequence.
void BM_FluoroFrames(benchmark::State& state) {
  set_thread_budget(static_cast<int>(state.range(1)));
  const auto index = state.range(2);
  FluoroSequence sequence(options(state.range(0)), fluoro_sequence_seed(1, "bench", index), index);
  int64_t frame = 0;
  for (auto _ : state) benchmark::DoNotOptimize(sequence.frame(frame++).mask.data());
  state.counters["frames/s"] =
      benchmark::Counter(static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
  set_thread_budget(0);
}
BENCHMARK(BM_FluoroFrames)
    ->ArgNames({"size", "threads", "sequence"})
    ->ArgsProduct({{512}, {1, 2}, {0, 1, 2}})
    ->Args({1024, 2, 0})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

// A new patient: anatomy, vessels, devices, exposure control.
void BM_FluoroSequence(benchmark::State& state) {
  set_thread_budget(static_cast<int>(state.range(1)));
  uint64_t seed = 0;
  for (auto _ : state) {
    FluoroSequence sequence(options(state.range(0)), ++seed);
    benchmark::DoNotOptimize(&sequence);
  }
  set_thread_budget(0);
}
BENCHMARK(BM_FluoroSequence)
    ->ArgNames({"size", "threads"})
    ->Args({512, 1})
    ->Args({512, 2})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace voxloom::dataset
