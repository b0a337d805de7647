// Rates of the CPU kernels per instruction set. Args: the instruction set's number (see the label).
#include <random>
#include <vector>

#include <benchmark/benchmark.h>

#include "voxloom/kernels/attention.h"
#include "voxloom/kernels/linear.h"
#include "voxloom/kernels/memory_attention.h"
#include "voxloom/kernels/packing.h"

namespace voxloom::kernels {
namespace {

std::vector<float> normal(int64_t count, float deviation = 1.0F) {
  static std::mt19937 engine(1);
  std::normal_distribution<float> distribution(0.0F, deviation);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& v : values) v = distribution(engine);
  return values;
}

// Limits the instruction set for one benchmark; reports an error where this machine lacks it.
class Limit {
 public:
  explicit Limit(benchmark::State& state) {
    const auto isa = static_cast<Isa>(state.range(0));
    supported_ = isa_supported(isa);
    state.SetLabel(std::string(isa_name(isa)));
    if (supported_) {
      set_isa_limit(isa);
    } else {
      state.SkipWithError("not on this machine");
    }
  }
  ~Limit() { set_isa_limit(std::nullopt); }
  Limit(const Limit&) = delete;
  Limit& operator=(const Limit&) = delete;

  [[nodiscard]] bool supported() const { return supported_; }

 private:
  bool supported_ = false;
};

void report_flop(benchmark::State& state, double flop) {
  state.counters["FLOP/s"] =
      benchmark::Counter(flop, benchmark::Counter::kIsIterationInvariantRate);
}

// 1024 queries of 256 channels; args: set, keys, value channels.
void BM_AttentionF32(benchmark::State& state) {
  const Limit limit(state);
  if (!limit.supported()) return;
  const AttentionShape shape{1024, 256, state.range(2)};
  const int64_t rows = state.range(1);
  const auto q = normal(shape.queries * 256);
  const auto k = normal(rows * 256);
  const auto v = normal(rows * shape.value_channels);
  std::vector<float> out(static_cast<size_t>(shape.queries * shape.value_channels));
  const std::vector<KeySegment> segments = {{k.data(), v.data(), rows, rows}};
  for (auto _ : state) attention(shape, q.data(), segments, 0.0625F, out.data());
  report_flop(state, 2.0 * 1024.0 * static_cast<double>(rows * (256 + shape.value_channels)));
}

void BM_AttentionBf16(benchmark::State& state) {
  const Limit limit(state);
  if (!limit.supported()) return;
  const AttentionShape shape{1024, 256, state.range(2)};
  const int64_t rows = state.range(1);
  const int64_t padded = padded_rows(rows);
  const auto q = normal(shape.queries * 256);
  std::vector<Bf16> k(static_cast<size_t>(padded * 256));
  std::vector<Bf16> v(static_cast<size_t>(padded * shape.value_channels));
  convert_rows(normal(rows * 256).data(), rows, 256, k.data());
  transpose(
      normal(rows * shape.value_channels).data(), rows, shape.value_channels, v.data(), padded);
  pad_transposed(rows, shape.value_channels, v.data(), padded);
  std::vector<float> out(static_cast<size_t>(shape.queries * shape.value_channels));
  const std::vector<KeySegmentBf16> segments = {{k.data(), v.data(), rows, padded}};
  for (auto _ : state) attention(shape, q.data(), segments, 0.0625F, out.data());
  report_flop(state, 2.0 * 1024.0 * static_cast<double>(rows * (256 + shape.value_channels)));
}

// 1024 rows; args: set, in, out.
void linear(benchmark::State& state, Precision precision) {
  const Limit limit(state);
  if (!limit.supported()) return;
  const int64_t in = state.range(1);
  const int64_t out = state.range(2);
  const PackedLinear layer(normal(in * out).data(), normal(out).data(), in, out, precision);
  const auto x = normal(1024 * in);
  std::vector<float> y(static_cast<size_t>(1024 * out));
  for (auto _ : state) layer.apply_parallel(x.data(), 1024, y.data(), LinearOutput::kPlain);
  report_flop(state, 2.0 * 1024.0 * static_cast<double>(in * out));
}
void BM_LinearF32(benchmark::State& state) {
  linear(state, Precision::kF32);
}
void BM_LinearBf16(benchmark::State& state) {
  linear(state, Precision::kBf16);
}

// The whole stack at 32x32, four layers; args: set, maps (one of them a key slice), pointers.
void memory_attention(benchmark::State& state, Precision precision) {
  const Limit limit(state);
  if (!limit.supported()) return;
  const MemoryAttentionShape shape;
  std::vector<std::vector<float>> arrays;
  const auto keep = [&arrays](int64_t count, float deviation) {
    arrays.push_back(normal(count, deviation));
    return arrays.back().data();
  };
  const auto make = [&keep](int64_t in, int64_t out) {
    return LinearWeights{keep(in * out, 0.05F), keep(out, 0.05F)};
  };
  MemoryAttentionWeights weights;
  for (int l = 0; l < 4; ++l) {
    MemoryAttentionLayerWeights w;
    for (LinearWeights* square :
         {&w.self_q, &w.self_k, &w.self_v, &w.self_out, &w.cross_q, &w.cross_out}) {
      *square = make(256, 256);
    }
    w.cross_k = make(64, 256);
    w.cross_v = make(64, 256);
    w.linear1 = make(256, 2048);
    w.linear2 = make(2048, 256);
    for (NormWeights* norm : {&w.norm1, &w.norm2, &w.norm3}) *norm = {keep(256, 1), keep(256, 1)};
    weights.layers.push_back(w);
  }
  weights.norm = {keep(256, 1), keep(256, 1)};
  weights.temporal = keep(7 * 64, 0.1F);
  const MemoryAttention attention(shape, weights, precision);
  const auto position = normal(1024 * 64);
  std::vector<std::shared_ptr<const MemoryKeys>> keys;
  std::vector<MemoryRead> reads;
  for (int64_t i = 0; i < state.range(1); ++i) {
    keys.push_back(attention.encode(normal(1024 * 64).data(), position.data()));
    reads.push_back({keys.back().get(), i == 0 ? 6 : i - 1});
  }
  const auto x = normal(1024 * 256);
  const int64_t rows = 4 * state.range(2);
  const auto tokens = normal(rows * 64);
  const PointerTokens pointers{tokens.data(), tokens.data(), rows};
  std::vector<float> out(x.size());
  for (auto _ : state) attention.run(x.data(), reads, pointers, out.data());
}
void BM_MemoryAttentionF32(benchmark::State& state) {
  memory_attention(state, Precision::kF32);
}
void BM_MemoryAttentionBf16(benchmark::State& state) {
  memory_attention(state, Precision::kBf16);
}

constexpr auto kScalar = static_cast<int64_t>(Isa::kScalar);
constexpr auto kAvx2 = static_cast<int64_t>(Isa::kAvx2);
constexpr auto kAvx512 = static_cast<int64_t>(Isa::kAvx512);
constexpr auto kAvx512Bf16 = static_cast<int64_t>(Isa::kAvx512Bf16);
constexpr auto kAmxBf16 = static_cast<int64_t>(Isa::kAmxBf16);

BENCHMARK(BM_AttentionF32)
    ->ArgNames({"isa", "keys", "values"})
    ->ArgsProduct({{kScalar, kAvx2, kAvx512}, {7232}, {64}})
    ->ArgsProduct({{kScalar, kAvx2, kAvx512}, {1024}, {256}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK(BM_AttentionBf16)
    ->ArgNames({"isa", "keys", "values"})
    ->ArgsProduct({{kAvx512Bf16, kAmxBf16}, {7232}, {64}})
    ->ArgsProduct({{kAvx512Bf16, kAmxBf16}, {1024}, {256}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK(BM_LinearF32)
    ->ArgNames({"isa", "in", "out"})
    ->ArgsProduct({{kAvx2, kAvx512}, {256}, {256, 2048}})
    ->ArgsProduct({{kAvx2, kAvx512}, {2048}, {256}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK(BM_LinearBf16)
    ->ArgNames({"isa", "in", "out"})
    ->ArgsProduct({{kAvx512Bf16, kAmxBf16}, {256}, {256, 2048}})
    ->ArgsProduct({{kAvx512Bf16, kAmxBf16}, {2048}, {256}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK(BM_MemoryAttentionF32)
    ->ArgNames({"isa", "maps", "pointers"})
    ->ArgsProduct({{kScalar, kAvx2, kAvx512}, {1, 7}, {16}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK(BM_MemoryAttentionBf16)
    ->ArgNames({"isa", "maps", "pointers"})
    ->ArgsProduct({{kAvx512Bf16, kAmxBf16}, {1, 7}, {16}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace
}  // namespace voxloom::kernels
