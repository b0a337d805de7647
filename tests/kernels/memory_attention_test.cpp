#include "voxloom/kernels/memory_attention.h"

#include <thread>

#include <gmock/gmock.h>

#include "voxloom/core/error.h"
#include "voxloom/kernels/bf16.h"

#include "kernel_test_util.h"

namespace voxloom::kernels {
namespace {

// A small stack with random weights, memories and pointers.
struct Stack {
  enum class Inputs { kExact, kRounded };

  // kRounded: the same numbers, with weights and inputs rounded to bf16 once.
  explicit Stack(const MemoryAttentionShape& s, int num_layers = 2, Inputs inputs = Inputs::kExact)
      : shape(s), rounded(inputs == Inputs::kRounded) {
    const int64_t c = s.channels;
    for (int l = 0; l < num_layers; ++l) {
      MemoryAttentionLayerWeights w;
      for (LinearWeights* linear :
           {&w.self_q, &w.self_k, &w.self_v, &w.self_out, &w.cross_q, &w.cross_out}) {
        *linear = make_linear(c, c);
      }
      w.cross_k = make_linear(s.memory_channels, c);
      w.cross_v = make_linear(s.memory_channels, c);
      w.linear1 = make_linear(c, s.hidden_channels);
      w.linear2 = make_linear(s.hidden_channels, c);
      for (NormWeights* norm : {&w.norm1, &w.norm2, &w.norm3}) *norm = make_norm(c);
      weights.layers.push_back(w);
    }
    weights.norm = make_norm(c);
    weights.temporal = keep(normal(s.temporal_rows * s.memory_channels, ++seed));
    const int64_t tokens = s.grid_height * s.grid_width;
    x = normal(tokens * c, ++seed);
    position = normal(tokens * s.memory_channels, ++seed);
    for (int i = 0; i < 4; ++i) memories.push_back(normal(tokens * s.memory_channels, ++seed));
    pointers = normal(12 * s.memory_channels, ++seed);
    pointer_positions = normal(12 * s.memory_channels, ++seed);
    round(x);
    for (auto& memory : memories) round(memory);
    round(pointers);
  }

  void round(std::vector<float>& values) const {
    for (float& v : values) v = rounded ? from_bf16(to_bf16(v)) : v;
  }

  LinearWeights make_linear(int64_t in, int64_t out) {
    // Twice the usual size, so that the softmax has something to choose from.
    const float deviation = 2.0F / std::sqrt(static_cast<float>(in));
    auto weight = normal(out * in, ++seed, deviation);
    round(weight);
    return {keep(std::move(weight)), keep(normal(out, ++seed, 0.2F))};
  }
  NormWeights make_norm(int64_t width) {
    return {keep(normal(width, ++seed)), keep(normal(width, ++seed, 0.2F))};
  }
  const float* keep(std::vector<float> values) {
    arrays.push_back(std::move(values));
    return arrays.back().data();
  }

  PointerTokens pointer_tokens(int64_t rows) const {
    return {pointers.data(), pointer_positions.data(), rows};
  }

  // Memory i is read with temporal row rows[i].
  std::vector<float> reference(const std::vector<int64_t>& rows, int64_t pointer_rows) const {
    std::vector<RawMemory> raw;
    for (size_t i = 0; i < rows.size(); ++i) {
      raw.push_back(
          {memories[i].data(), position.data(), shape.grid_height * shape.grid_width, rows[i]});
    }
    std::vector<float> out(x.size());
    memory_attention_reference(
        shape, weights, x.data(), raw, pointer_tokens(pointer_rows), out.data());
    return out;
  }

  // The same through the fast path.
  std::vector<float> fast(const MemoryAttention& attention,
                          const std::vector<int64_t>& rows,
                          int64_t pointer_rows) const {
    std::vector<std::shared_ptr<const MemoryKeys>> keys;
    std::vector<MemoryRead> reads;
    for (size_t i = 0; i < rows.size(); ++i) {
      keys.push_back(attention.encode(memories[i].data(), position.data()));
      reads.push_back({keys.back().get(), rows[i]});
    }
    std::vector<float> out(x.size(), -1.0F);
    attention.run(x.data(), reads, pointer_tokens(pointer_rows), out.data());
    return out;
  }

  MemoryAttentionShape shape;
  bool rounded = false;
  MemoryAttentionWeights weights;
  std::vector<float> x, position, pointers, pointer_positions;
  std::vector<std::vector<float>> memories;
  std::vector<std::vector<float>> arrays;
  uint32_t seed = 100;
};

// Odd grid: neither rows nor tiles come out even.
constexpr MemoryAttentionShape kOdd{.channels = 64,
                                    .memory_channels = 32,
                                    .hidden_channels = 96,
                                    .grid_height = 5,
                                    .grid_width = 7,
                                    .temporal_rows = 7};

class MemoryAttentionF32 : public IsaTest {};
class MemoryAttentionBf16 : public IsaTest {};
INSTANTIATE_TEST_SUITE_P(Isa, MemoryAttentionF32, f32_isas(), isa_test_name);
INSTANTIATE_TEST_SUITE_P(Isa, MemoryAttentionBf16, bf16_isas(), isa_test_name);

TEST_P(MemoryAttentionF32, EqualsTheDefinition) {
  const Stack stack(kOdd);
  const MemoryAttention attention(stack.shape, stack.weights, Precision::kF32);
  const std::vector<std::pair<std::vector<int64_t>, int64_t>> cases = {
      {{6}, 4}, {{6, 0}, 0}, {{6, 5, 1, 0}, 12}, {{}, 8}};
  for (const auto& [rows, pointer_rows] : cases) {
    SCOPED_TRACE(testing::PrintToString(rows) + " and pointer rows " +
                 std::to_string(pointer_rows));
    const auto expected = stack.reference(rows, pointer_rows);
    EXPECT_LT(largest_difference(stack.fast(attention, rows, pointer_rows), expected), 1e-4);
  }
}

// How far the result moves when weights and inputs are rounded to bf16 just once measures how
// much these random layers amplify rounding; the whole run in bf16 rounds every product's input
// and may be a few times worse, no more.
double error_of_rounding_once(const MemoryAttentionShape& shape,
                              int layers,
                              const std::vector<int64_t>& rows,
                              int64_t pointer_rows) {
  const Stack exact(shape, layers);
  const Stack rounded(shape, layers, Stack::Inputs::kRounded);
  return relative_error(rounded.reference(rows, pointer_rows), exact.reference(rows, pointer_rows));
}

TEST_P(MemoryAttentionBf16, ErrsAFewTimesAsMuchAsRoundingTheInputsOnce) {
  const Stack stack(kOdd);
  const MemoryAttention attention(stack.shape, stack.weights, Precision::kBf16);
  const double once = error_of_rounding_once(kOdd, 2, {6, 3, 0}, 12);
  const auto expected = stack.reference({6, 3, 0}, 12);
  const auto out = stack.fast(attention, {6, 3, 0}, 12);
  EXPECT_LT(relative_error(out, expected), 2.5 * once) << once;
  EXPECT_GT(relative_error(out, expected), 0.2 * once) << "bf16 must not run in f32";
}

// The real width, on a grid small enough for the definition.
TEST(MemoryAttentionTest, EqualsTheDefinitionAtFullWidth) {
  const Stack stack(MemoryAttentionShape{.grid_height = 6, .grid_width = 6}, 4);
  const auto expected = stack.reference({6, 1}, 8);
  const MemoryAttention f32(stack.shape, stack.weights, Precision::kF32);
  EXPECT_LT(largest_difference(stack.fast(f32, {6, 1}, 8), expected), 1e-4);
  const MemoryAttention bf16(stack.shape, stack.weights, Precision::kBf16);
  const double once = error_of_rounding_once(stack.shape, 4, {6, 1}, 8);
  EXPECT_LT(relative_error(stack.fast(bf16, {6, 1}, 8), expected), 2.5 * once) << once;
}

TEST(MemoryAttentionTest, TemporalRowMatters) {
  const Stack stack(kOdd);
  const MemoryAttention attention(stack.shape, stack.weights, Precision::kF32);
  EXPECT_GT(largest_difference(stack.fast(attention, {6}, 4), stack.fast(attention, {0}, 4)), 1e-2);
}

TEST(MemoryAttentionTest, WritesInPlaceAndRepeatsItself) {
  const Stack stack(kOdd);
  const MemoryAttention attention(stack.shape, stack.weights, Precision::kF32);
  const auto first = stack.fast(attention, {6, 0}, 12);
  // A run of another size between, so that left-over buffers would show.
  stack.fast(attention, {6, 0, 1, 2}, 4);
  auto x = stack.x;
  const auto keys6 = attention.encode(stack.memories[0].data(), stack.position.data());
  const auto keys0 = attention.encode(stack.memories[1].data(), stack.position.data());
  const std::vector<MemoryRead> reads = {{keys6.get(), 6}, {keys0.get(), 0}};
  attention.run(x.data(), reads, stack.pointer_tokens(12), x.data());
  EXPECT_EQ(x, first);
}

TEST(MemoryAttentionTest, RunsFromSeveralThreads) {
  const Stack stack(kOdd);
  const MemoryAttention attention(stack.shape, stack.weights, Precision::kF32);
  const auto expected = stack.fast(attention, {6, 0}, 12);
  std::vector<std::vector<float>> results(4);
  std::vector<std::thread> threads;
  for (auto& result : results) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5; ++i) result = stack.fast(attention, {6, 0}, 12);
    });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& result : results) EXPECT_EQ(result, expected);
}

TEST(MemoryAttentionTest, KeysTellTheirSize) {
  const Stack stack(kOdd);
  const MemoryAttention attention(stack.shape, stack.weights, Precision::kF32);
  const auto keys = attention.encode(stack.memories[0].data(), stack.position.data());
  EXPECT_EQ(keys->rows(), 35);
  EXPECT_EQ(keys->bytes(), 4 * 35 * (2 * 64 + 32));
}

using testing::HasSubstr;
using testing::ThrowsMessage;

TEST(MemoryAttentionTest, RefusesWhatItCannotRead) {
  const Stack stack(kOdd);
  const MemoryAttention attention(stack.shape, stack.weights, Precision::kF32);
  const MemoryAttention other(stack.shape, stack.weights, Precision::kF32);
  auto x = stack.x;
  const auto keys = other.encode(stack.memories[0].data(), stack.position.data());
  const std::vector<MemoryRead> foreign = {{keys.get(), 6}};
  const std::vector<MemoryRead> row = {{keys.get(), 7}};
  EXPECT_THAT([&] { attention.run(x.data(), {}, {}, x.data()); },
              ThrowsMessage<Error>(HasSubstr("must have a memory or a pointer, got none")));
  EXPECT_THAT([&] { attention.run(x.data(), foreign, {}, x.data()); },
              ThrowsMessage<Error>(HasSubstr("must come from encode of the same object")));
  EXPECT_THAT([&] { other.run(x.data(), row, {}, x.data()); },
              ThrowsMessage<Error>(HasSubstr("temporal row must be 0 to 6, got 7")));
  auto weights = stack.weights;
  weights.layers[1].cross_q.bias = nullptr;
  EXPECT_THAT([&] { MemoryAttention(stack.shape, weights, Precision::kF32); },
              ThrowsMessage<Error>(HasSubstr("layer 1 must have all weights")));
}

}  // namespace
}  // namespace voxloom::kernels
