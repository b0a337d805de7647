// Milliseconds a frame of the wire networks, by engine, precision and size. Weights are start
// values: the arithmetic is that of trained ones.
//
// Set OMP_WAIT_POLICY=PASSIVE where other work shares the cores, as the program does.
// WIRE_OPTIONS='{"widths": ...}' changes the options of the network that --benchmark_filter
// chooses.
#include <cstdlib>

#include <benchmark/benchmark.h>

#include <ATen/autocast_mode.h>
#include <torch/torch.h>

#include "voxloom/core/parallel.h"
#include "voxloom/engine/openvino_network.h"
#include "voxloom/engine/wire_onnx.h"
#include "voxloom/infer/wire_box_tracker.h"
#include "voxloom/infer_ml/cascade.h"
#include "voxloom/infer_ml/detection.h"
#include "voxloom/models/wire/detector.h"
#include "voxloom/models/wire/wire_network.h"
#include "voxloom/tensor/load.h"

namespace voxloom::engine {
namespace {

namespace wire = models::wire;

nlohmann::ordered_json options_of() {
  const char* text = std::getenv("WIRE_OPTIONS");
  return text == nullptr ? nlohmann::ordered_json::object() : nlohmann::ordered_json::parse(text);
}

void run_frame(benchmark::State& state,
               const std::string& architecture,
               EngineKind engine,
               Precision precision) {
  const torch::NoGradGuard no_grad;
  at::set_num_threads(thread_budget());
  const int64_t side = state.range(0);
  const auto network = wire::make_wire_network(architecture, options_of(), 1);
  network->eval();
  torch::manual_seed(1);
  at::Tensor image = torch::randn({1, network->in_channels(), side, side});
  int64_t parameters = 0;
  for (const at::Tensor& parameter : network->parameters()) parameters += parameter.numel();
  state.counters["parameters"] = static_cast<double>(parameters);
  if (engine == EngineKind::kOpenvino) {
    const auto weights = tensor::state_dict(*network);
    OpenvinoNetwork compiled(
        {.name = "wire",
         .key = "bench",
         .outputs = {kWireProbability},
         .graph =
             [&] {
               return wire_graph(
                   architecture, options_of(), weights, {.height = side, .width = side});
             },
         .folder = {}},
        precision,
        thread_budget(),
        FileCache(std::filesystem::path()));
    for (auto _ : state) benchmark::DoNotOptimize(compiled.run({{kWireInput, image}}));
    return;
  }
  network->to(torch::kFloat);
  for (at::Tensor& parameter : network->parameters()) {
    if (parameter.dim() == 4) {
      parameter.set_data(parameter.contiguous(at::MemoryFormat::ChannelsLast));
    }
  }
  image = image.contiguous(at::MemoryFormat::ChannelsLast);
  at::autocast::set_autocast_enabled(at::kCPU, precision == Precision::kBf16);
  for (auto _ : state) benchmark::DoNotOptimize(network->forward(image).sigmoid());
  at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(at::kCPU, false);
}

// One training step without the optimiser: forward, mean of the logits, backward.
void run_step(benchmark::State& state, const std::string& architecture) {
  at::set_num_threads(thread_budget());
  const auto network = wire::make_wire_network(architecture, options_of(), 1);
  network->train();
  const int64_t side = state.range(0);
  torch::manual_seed(1);
  const at::Tensor image = torch::randn({4, network->in_channels(), side, side})
                               .contiguous(at::MemoryFormat::ChannelsLast);
  for (auto _ : state) {
    network->zero_grad();
    at::Tensor loss = torch::zeros({});
    for (const at::Tensor& z : network->forward_train(image)) loss = loss + z.mean();
    loss.backward();
  }
}

// A frame of the cascade: detector (frames resized to a larger side of `detector`), boxes, and one
// crop of 224 px (or four, as for a wire over the whole frame) through HessianNet and back. The
// boxes are given: start values find none.
void run_cascade(benchmark::State& state, EngineKind engine, Precision precision) {
  const torch::InferenceMode guard;
  const int64_t side = 512, seen = state.range(0);
  const infer::CropRule crops;
  const auto network = wire::make_detector({}, 1);
  network->eval();
  const auto options = resolve({.engine = engine, .precision = precision}, false);
  at::set_num_threads(thread_budget());
  infer_ml::StreamDetector detector(
      network,
      {},
      std::make_shared<weights::StateDict>(tensor::state_dict(*network)),
      "bench-detector",
      options);
  const std::shared_ptr<wire::WireNetwork> hessian = wire::make_wire_network("hessian-net", {}, 1);
  hessian->eval();
  auto exact = options;
  exact.precision = Precision::kF32;
  infer_ml::SizedNetwork segmenter(
      infer_ml::wire_network_source(
          hessian,
          "hessian-net",
          {},
          std::make_shared<weights::StateDict>(tensor::state_dict(*hessian)),
          "bench-segmenter"),
      exact);
  const at::Tensor frame = torch::rand({side, side});
  const std::span<const float> pixels(frame.const_data_ptr<float>(),
                                      static_cast<size_t>(frame.numel()));
  const double extent = state.range(1) == 1 ? 180.0 : 500.0;
  infer::WireBoxTracker tracker({});
  std::vector<float> resized, probability;
  for (auto _ : state) {
    infer::resample(pixels, side, side, {0, 0, side, side}, seen, seen, resized);
    auto boxes = detector.detect(at::from_blob(resized.data(), {1, 1, seen, seen}, at::kFloat), {});
    boxes.push_back({6.0, 6.0, 6.0 + extent, 6.0 + extent, 0.9, 0});
    tracker.step(std::move(boxes), side, side);
    infer_ml::crop_probability([&](const at::Tensor& x) { return segmenter.run({x}).front(); },
                               hessian->size_multiple(),
                               pixels,
                               side,
                               side,
                               tracker.active(),
                               crops,
                               infer::TestAugmentation::kNone,
                               probability);
    benchmark::DoNotOptimize(probability.data());
  }
  state.counters["frames_per_s"] =
      benchmark::Counter(static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

void register_cascade() {
  for (const EngineKind engine : {EngineKind::kTorch, EngineKind::kOpenvino}) {
    if (engine == EngineKind::kOpenvino && !has_openvino()) continue;
    for (const Precision precision : {Precision::kF32, Precision::kBf16}) {
      const std::string name = "BM_WireCascade/" + std::string(engine_name(engine)) + "/" +
                               std::string(precision_name(precision));
      benchmark::RegisterBenchmark(
          name.c_str(), [=](benchmark::State& state) { run_cascade(state, engine, precision); })
          ->ArgNames({"detector", "crops"})
          ->Args({512, 1})
          ->Args({320, 1})
          ->Args({320, 4})
          ->Unit(benchmark::kMillisecond)
          ->UseRealTime();
    }
  }
}

void register_all() {
  register_cascade();
  for (const wire::WireArchitecture& known : wire::wire_architectures()) {
    for (const EngineKind engine : {EngineKind::kTorch, EngineKind::kOpenvino}) {
      if (engine == EngineKind::kOpenvino && !has_openvino()) continue;
      for (const Precision precision : {Precision::kF32, Precision::kBf16}) {
        const std::string name = "BM_WireFrame/" + known.name + "/" +
                                 std::string(engine_name(engine)) + "/" +
                                 std::string(precision_name(precision));
        benchmark::RegisterBenchmark(
            name.c_str(),
            [=](benchmark::State& state) { run_frame(state, known.name, engine, precision); })
            ->ArgName("side")
            ->Arg(512)
            ->Arg(1024)
            ->Unit(benchmark::kMillisecond)
            ->UseRealTime();
      }
    }
    benchmark::RegisterBenchmark(("BM_WireStep/" + known.name).c_str(),
                                 [=](benchmark::State& state) { run_step(state, known.name); })
        ->ArgName("side")
        ->Arg(128)
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime();
  }
}

}  // namespace
}  // namespace voxloom::engine

int main(int argc, char** argv) {
  voxloom::engine::register_all();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
