// Parts of SAM 2 at the size of MedSAM2 (512), random weights, one slice. Set
// OMP_WAIT_POLICY=PASSIVE and OMP_NUM_THREADS as the program would.
#include <benchmark/benchmark.h>

#include <torch/torch.h>

#include "voxloom/core/parallel.h"
#include "voxloom/models/sam2/sam2.h"

namespace voxloom::models::sam2 {
namespace {

Sam2& network() {
  static Sam2 model = [] {
    at::set_num_threads(thread_budget());
    const torch::NoGradGuard no_grad;
    Sam2 made(variant_options("medsam2_t512"));
    nn::initialise(*made, at::make_generator<at::CPUGeneratorImpl>(1));
    made->eval();
    return made;
  }();
  return model;
}

/// `maps` maps, the first of a prompted slice, and `pointers` pointers.
MemoryRead memory_of(int64_t maps, int64_t pointers) {
  torch::manual_seed(1);
  MemoryRead memory;
  for (int64_t i = 0; i < maps; ++i) {
    memory.maps.push_back({std::make_shared<MemoryFrame>(torch::randn({1, 64, 32, 32}), i == 0),
                           i == 0 ? 6 : maps - 1 - i});
  }
  std::tie(memory.pointers, memory.pointer_positions) = network()->pointer_tokens(
      torch::randn({pointers, 256}), torch::arange(pointers, torch::kDouble) / 15.0);
  return memory;
}

void run_memory_attention(benchmark::State& state, MemoryBackend& backend) {
  const torch::NoGradGuard no_grad;
  const at::Tensor f2 = torch::randn({1, 256, 32, 32});
  const MemoryRead memory = memory_of(state.range(0), state.range(1));
  benchmark::DoNotOptimize(backend.condition(f2, memory));
  for (auto _ : state) {
    // A tracked slice adds one new map; the others were prepared by the slices before.
    if (state.range(0) > 1) memory.maps.back().frame->release_prepared();
    benchmark::DoNotOptimize(backend.condition(f2, memory));
  }
}

void BM_MemoryAttentionTorch(benchmark::State& state) {
  run_memory_attention(state, *make_torch_memory_backend(network()->memory_backend_parts()));
}

void BM_MemoryAttentionF32(benchmark::State& state) {
  run_memory_attention(
      state,
      *make_fast_memory_backend(network()->memory_backend_parts(), kernels::Precision::kF32));
}

void BM_MemoryAttentionBf16(benchmark::State& state) {
  if (!kernels::has_fast_bf16()) {
    state.SkipWithError("no bfloat16 products on this machine");
    return;
  }
  run_memory_attention(
      state,
      *make_fast_memory_backend(network()->memory_backend_parts(), kernels::Precision::kBf16));
}

void BM_ImageEncoder(benchmark::State& state) {
  const torch::NoGradGuard no_grad;
  const at::Tensor image = torch::randn({1, 3, 512, 512});
  benchmark::DoNotOptimize(network()->encode_image(image));
  for (auto _ : state) benchmark::DoNotOptimize(network()->encode_image(image));
}

void BM_MemoryEncoder(benchmark::State& state) {
  const torch::NoGradGuard no_grad;
  const at::Tensor f2 = torch::randn({1, 256, 32, 32});
  const at::Tensor logits = torch::randn({1, 1, 512, 512});
  const at::Tensor score = torch::ones({1, 1});
  for (auto _ : state) {
    benchmark::DoNotOptimize(network()->encode_memory(f2, logits, score, false));
  }
}

void BM_Heads(benchmark::State& state) {
  const torch::NoGradGuard no_grad;
  const SliceFeatures features{torch::randn({1, 32, 128, 128}),
                               torch::randn({1, 64, 64, 64}),
                               torch::randn({1, 256, 32, 32})};
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        network()->heads(features.f2, features, HeadsPrompt{}, /*multimask=*/true, {}));
  }
}

// Args: maps, pointers. 7 and 16: the steady state.
BENCHMARK(BM_MemoryAttentionTorch)
    ->Args({1, 1})
    ->Args({7, 16})
    ->Unit(benchmark::kMillisecond)
    ->MeasureProcessCPUTime()
    ->UseRealTime();
BENCHMARK(BM_MemoryAttentionF32)
    ->Args({1, 1})
    ->Args({7, 16})
    ->Unit(benchmark::kMillisecond)
    ->MeasureProcessCPUTime()
    ->UseRealTime();
BENCHMARK(BM_MemoryAttentionBf16)
    ->Args({1, 1})
    ->Args({7, 16})
    ->Unit(benchmark::kMillisecond)
    ->MeasureProcessCPUTime()
    ->UseRealTime();
BENCHMARK(BM_ImageEncoder)->Unit(benchmark::kMillisecond)->MeasureProcessCPUTime()->UseRealTime();
BENCHMARK(BM_MemoryEncoder)->Unit(benchmark::kMillisecond)->MeasureProcessCPUTime()->UseRealTime();
BENCHMARK(BM_Heads)->Unit(benchmark::kMillisecond)->MeasureProcessCPUTime()->UseRealTime();

}  // namespace
}  // namespace voxloom::models::sam2

BENCHMARK_MAIN();
