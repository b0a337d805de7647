// The image encoder by engine and precision, the mask decoder by engine, and how long a network
// takes to become ready. Stand-in weights: the arithmetic is that of trained ones.
//
// Set OMP_WAIT_POLICY=PASSIVE where other work shares the cores, as the program does.
#include <filesystem>

#include <benchmark/benchmark.h>
#include <unistd.h>

#include <torch/torch.h>

#include "voxloom/core/parallel.h"
#include "voxloom/engine/network.h"
#include "voxloom/engine/sam2_onnx.h"
#include "voxloom/weights/generated.h"

namespace voxloom::engine {
namespace {

namespace sam2 = models::sam2;

constexpr const char* kVariants[] = {"medsam2_t512", "efficienttam_ti_512", "efficienttam_s_512"};

struct Model {
  sam2::Sam2Options options;
  weights::StateDict state;
  sam2::Sam2 network{nullptr};
};

const Model& model(int64_t variant) {
  static std::map<int64_t, Model> made;
  const auto known = made.find(variant);
  if (known != made.end()) return known->second;
  at::set_num_threads(thread_budget());
  Model& m = made[variant];
  m.options = sam2::variant_options(kVariants[variant]);
  std::vector<weights::KeyShape> keys;
  for (const auto& key : sam2::expected_keys(m.options)) keys.push_back({key.name, key.shape});
  m.state = weights::make_stand_in_weights(keys);
  m.network = sam2::load_sam2(m.state, m.options.variant, "stand-in", tensor::LoadMode::kAlias);
  return m;
}

EncoderSource source_of(const Model& m) {
  return {.network = m.network,
          .state = &m.state,
          .weights_sha256 = "stand-in " + m.options.variant,
          .folder = {},
          .bf16_gate_passed = false};
}

at::Tensor image_of(const Model& m) {
  torch::manual_seed(1);
  return torch::randn({1, 3, m.options.image_size, m.options.image_size});
}

void BM_EncodeSlice(benchmark::State& state) {
  const torch::NoGradGuard no_grad;
  const Model& m = model(state.range(0));
  const auto encoder = make_slice_encoder(source_of(m),
                                          {.engine = static_cast<EngineKind>(state.range(1)),
                                           .precision = static_cast<Precision>(state.range(2))},
                                          FileCache(std::filesystem::path()));
  const at::Tensor image = image_of(m);
  benchmark::DoNotOptimize(encoder->encode(image));
  for (auto _ : state) benchmark::DoNotOptimize(encoder->encode(image));
  state.SetLabel(m.options.variant + " " + std::string(engine_name(encoder->engine())) + " " +
                 std::string(precision_name(encoder->precision())));
}

void encoder_args(benchmark::internal::Benchmark* bench) {
  for (int64_t variant = 0; variant < 3; ++variant) {
    for (const EngineKind engine : {EngineKind::kTorch, EngineKind::kOpenvino}) {
      if (engine == EngineKind::kOpenvino && !has_openvino()) continue;
      for (const Precision precision : {Precision::kF32, Precision::kBf16}) {
        bench->Args({variant, static_cast<int64_t>(engine), static_cast<int64_t>(precision)});
      }
    }
  }
}
BENCHMARK(BM_EncodeSlice)
    ->ArgNames({"variant", "engine", "precision"})
    ->Apply(encoder_args)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

// engine torch: the module, in f32.
void BM_EncodeMemory(benchmark::State& state) {
  const torch::NoGradGuard no_grad;
  const Model& m = model(0);
  const auto engine = static_cast<EngineKind>(state.range(0));
  const auto precision = static_cast<Precision>(state.range(1));
  sam2::Sam2 network = m.network;
  sam2::MemoryEncoderCall call = [&](const at::Tensor& features, const at::Tensor& mask) {
    return network->memory_encoder(features, mask);
  };
  if (engine == EngineKind::kOpenvino) {
    call =
        make_memory_encoder(source_of(m),
                            {.engine = engine, .precision = precision, .threads = thread_budget()},
                            FileCache(std::filesystem::path()));
  }
  const at::Tensor f2 = torch::randn({1, 256, 32, 32});
  const at::Tensor mask = 20.0 * torch::rand({1, 1, 512, 512}) - 10.0;
  benchmark::DoNotOptimize(call(f2, mask));
  for (auto _ : state) benchmark::DoNotOptimize(call(f2, mask));
  state.SetLabel(std::string(engine_name(engine)) + " " + std::string(precision_name(precision)));
}

void memory_args(benchmark::internal::Benchmark* bench) {
  const auto add = [&](EngineKind engine, Precision precision) {
    bench->Args({static_cast<int64_t>(engine), static_cast<int64_t>(precision)});
  };
  add(EngineKind::kTorch, Precision::kF32);
  if (!has_openvino()) return;
  add(EngineKind::kOpenvino, Precision::kF32);
  add(EngineKind::kOpenvino, Precision::kBf16);
}
BENCHMARK(BM_EncodeMemory)
    ->ArgNames({"engine", "precision"})
    ->Apply(memory_args)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

void BM_DecodeTorch(benchmark::State& state) {
  const torch::NoGradGuard no_grad;
  const Model& m = model(0);
  sam2::Sam2 network = m.network;
  const auto features = network->encode_image(image_of(m));
  const at::Tensor f2 = network->without_memory(features.f2);
  const sam2::HeadsPrompt prompt{torch::tensor({100.0F, 120.0F, 300.0F, 260.0F}).view({1, 2, 2}),
                                 torch::tensor({2, 3}).view({1, 2}),
                                 {}};
  for (auto _ : state) {
    benchmark::DoNotOptimize(network->heads(f2, features, prompt, false, {}));
  }
}
BENCHMARK(BM_DecodeTorch)->Unit(benchmark::kMillisecond)->UseRealTime();

void BM_DecodeOpenvino(benchmark::State& state) {
  if (!has_openvino()) {
    state.SkipWithError("this build has no OpenVINO");
    return;
  }
  const torch::NoGradGuard no_grad;
  const Model& m = model(0);
  sam2::Sam2 network = m.network;
  const auto features = network->encode_image(image_of(m));
  const int64_t fine = m.options.mask_size();
  const std::vector<std::pair<std::string, at::Tensor>> inputs{
      {"f0", features.f0.contiguous()},
      {"f1", features.f1.contiguous()},
      {"f2", network->without_memory(features.f2).contiguous()},
      {"point_coords", torch::tensor({100.0F, 120.0F, 300.0F, 260.0F}).view({1, 2, 2})},
      {"point_labels", torch::tensor({2.0F, 3.0F}).view({1, 2})},
      {"mask_input", torch::zeros({1, 1, fine, fine})},
      {"has_mask_input", torch::zeros({1})}};
  OpenvinoNetwork decoder({.name = "decoder",
                           .key = "bench",
                           .outputs = {"masks", "ious", "object_score", "pointers"},
                           .graph = [&] { return sam2_decoder_graph(m.options, m.state); },
                           .folder = {}},
                          Precision::kF32,
                          thread_budget(),
                          FileCache(std::filesystem::path()));
  for (auto _ : state) benchmark::DoNotOptimize(decoder.run(inputs));
}
BENCHMARK(BM_DecodeOpenvino)->Unit(benchmark::kMillisecond)->UseRealTime();

// cached 0: the graph is exported, written, compiled, and the compiled form written.
void BM_StartOpenvino(benchmark::State& state) {
  if (!has_openvino()) {
    state.SkipWithError("this build has no OpenVINO");
    return;
  }
  const torch::NoGradGuard no_grad;
  const Model& m = model(0);
  const bool cached = state.range(0) == 1;
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("voxloom-bench-" + std::to_string(::getpid()));
  const EngineOptions options{.engine = EngineKind::kOpenvino,
                              .precision = static_cast<Precision>(state.range(1))};
  if (cached) (void)make_slice_encoder(source_of(m), options, FileCache(folder));
  for (auto _ : state) {
    if (!cached) {
      state.PauseTiming();
      std::filesystem::remove_all(folder);
      state.ResumeTiming();
    }
    const auto encoder = make_slice_encoder(source_of(m), options, FileCache(folder));
    if (encoder->start().compiled_cache != cached) state.SkipWithError("the cache was not as told");
  }
  std::filesystem::remove_all(folder);
}
BENCHMARK(BM_StartOpenvino)
    ->ArgNames({"cached", "precision"})
    ->Args({0, static_cast<int64_t>(Precision::kF32)})
    ->Args({1, static_cast<int64_t>(Precision::kF32)})
    ->Args({0, static_cast<int64_t>(Precision::kBf16)})
    ->Args({1, static_cast<int64_t>(Precision::kBf16)})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

void BM_ExportGraph(benchmark::State& state) {
  const Model& m = model(0);
  for (auto _ : state) benchmark::DoNotOptimize(sam2_encoder_graph(m.options, m.state));
}
BENCHMARK(BM_ExportGraph)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace voxloom::engine

BENCHMARK_MAIN();
