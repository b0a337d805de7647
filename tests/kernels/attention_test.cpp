#include "voxloom/kernels/attention.h"

#include <gmock/gmock.h>

#include "voxloom/core/error.h"
#include "voxloom/core/parallel.h"
#include "voxloom/kernels/packing.h"

#include "kernel_test_util.h"

namespace voxloom::kernels {
namespace {

// Keys and values of one call, in both formats, cut into segments.
struct Bank {
  Bank(int64_t key_channels, int64_t value_channels, std::vector<int64_t> rows, float deviation)
      : key_channels_(key_channels), value_channels_(value_channels) {
    uint32_t seed = 7;
    for (const int64_t count : rows) {
      keys.push_back(normal(count * key_channels, ++seed, deviation));
      values.push_back(transposed(normal(count * value_channels, ++seed), count));
      segments.push_back({keys.back().data(), values.back().data(), count, count + kGap});
      const int64_t padded = padded_rows(count);
      keys_bf16.emplace_back(static_cast<size_t>(padded * key_channels));
      convert_rows(keys.back().data(), count, key_channels, keys_bf16.back().data());
      values_bf16.emplace_back(static_cast<size_t>(padded * value_channels));
      for (int64_t c = 0; c < value_channels; ++c) {
        for (int64_t r = 0; r < count; ++r) {
          values_bf16.back()[static_cast<size_t>(c * padded + r)] =
              to_bf16(values.back()[static_cast<size_t>(c * (count + kGap) + r)]);
        }
      }
      segments_bf16.push_back({keys_bf16.back().data(), values_bf16.back().data(), count, padded});
    }
  }

  // What lies between the rows of values is never read: it would spoil every sum.
  std::vector<float> transposed(const std::vector<float>& v, int64_t rows) const {
    std::vector<float> t(static_cast<size_t>(value_channels_ * (rows + kGap)),
                         std::numeric_limits<float>::quiet_NaN());
    transpose(v.data(), rows, value_channels_, t.data(), rows + kGap);
    return t;
  }

  static constexpr int64_t kGap = 3;
  int64_t key_channels_, value_channels_;
  std::vector<std::vector<float>> keys, values;
  std::vector<std::vector<Bf16>> keys_bf16, values_bf16;
  std::vector<KeySegment> segments;
  std::vector<KeySegmentBf16> segments_bf16;
};

struct Case {
  int64_t queries, key_channels, value_channels;
  std::vector<int64_t> rows;
  float deviation = 1.0F;  // of queries and keys; 8 gives scores of several hundred
};

std::ostream& operator<<(std::ostream& stream, const Case& c) {
  stream << c.queries << " queries, channels " << c.key_channels << " and " << c.value_channels
         << ", deviation " << c.deviation << ", rows";
  for (const int64_t r : c.rows) stream << " " << r;
  return stream;
}

const std::vector<Case>& cases() {
  static const std::vector<Case> list = {
      {1, 32, 1, {1}},                      // the smallest there is
      {3, 32, 5, {0, 7, 0}},                // empty segments: no object pointer yet
      {32, 64, 64, {128}},                  // whole tiles only
      {33, 64, 64, {129}},                  // one more than whole tiles
      {65, 256, 64, {1024, 1024, 60}},      // a memory bank
      {131, 256, 256, {131}},               // self attention
      {37, 96, 20, {31, 200, 1, 33, 127}},  // segments that end anywhere
      {40, 256, 64, {300, 5}, 8.0F},        // large scores: the softmax is nearly one-hot
  };
  return list;
}

class AttentionF32 : public IsaTest {};
class AttentionBf16 : public IsaTest {};
INSTANTIATE_TEST_SUITE_P(Isa, AttentionF32, f32_isas(), isa_test_name);
INSTANTIATE_TEST_SUITE_P(Isa, AttentionBf16, bf16_isas(), isa_test_name);

TEST_P(AttentionF32, EqualsTheDefinition) {
  ASSERT_EQ(active_isa(Precision::kF32), GetParam());
  for (const Case& c : cases()) {
    SCOPED_TRACE(testing::PrintToString(c));
    const Bank bank(c.key_channels, c.value_channels, c.rows, c.deviation);
    const auto q = normal(c.queries * c.key_channels, 1, c.deviation);
    const AttentionShape shape{c.queries, c.key_channels, c.value_channels};
    std::vector<float> out(static_cast<size_t>(c.queries * c.value_channels), -1.0F);
    std::vector<float> expected(out.size());
    attention_reference(shape, q.data(), bank.segments, 0.0625F, expected.data());
    attention(shape, q.data(), bank.segments, 0.0625F, out.data());
    // Rounding of a score of size s moves its weight by s 2^-24.
    EXPECT_LT(largest_difference(out, expected), c.deviation > 1.0F ? 2e-4 : 4e-6);
  }
}

TEST_P(AttentionBf16, StaysWithinTheRoundingOfItsInputs) {
  ASSERT_EQ(active_isa(Precision::kBf16), GetParam());
  for (const Case& c : cases()) {
    if (c.deviation > 1.0F) continue;  // scores of hundreds have no meaning in eight bits
    SCOPED_TRACE(testing::PrintToString(c));
    const Bank bank(c.key_channels, c.value_channels, c.rows, c.deviation);
    const auto q = normal(c.queries * c.key_channels, 1);
    const AttentionShape shape{c.queries, c.key_channels, c.value_channels};
    std::vector<float> out(static_cast<size_t>(c.queries * c.value_channels), -1.0F);
    std::vector<float> expected(out.size());
    attention_reference(shape, q.data(), bank.segments, 0.0625F, expected.data());
    attention(shape, q.data(), bank.segments_bf16, 0.0625F, out.data());
    EXPECT_LT(relative_error(out, expected), 1e-2);
    if (!(c.rows.size() == 1 && c.rows[0] == 1)) continue;
    // A single key has weight one, so only its value was rounded.
    EXPECT_EQ(out[0], from_bf16(to_bf16(expected[0])));
  }
}

// The instruction sets round the same inputs, so they agree far better than with f32.
TEST_P(AttentionBf16, AgreesWithTheEmulation) {
  const Case c{70, 256, 64, {200, 61}};
  const Bank bank(c.key_channels, c.value_channels, c.rows, 1.0F);
  const auto q = normal(c.queries * c.key_channels, 1);
  const AttentionShape shape{c.queries, c.key_channels, c.value_channels};
  std::vector<float> out(static_cast<size_t>(c.queries * c.value_channels));
  std::vector<float> expected(out.size());
  attention(shape, q.data(), bank.segments_bf16, 0.0625F, out.data());
  set_isa_limit(Isa::kScalar);
  attention(shape, q.data(), bank.segments_bf16, 0.0625F, expected.data());
  EXPECT_LT(relative_error(out, expected), 5e-4);
}

TEST_P(AttentionF32, SurvivesScoresThatOverflowAPlainExponential) {
  const Bank bank(32, 4, {50}, 1.0F);
  auto q = normal(2 * 32, 1);
  for (float& v : q) v *= 1e4F;  // scores of tens of thousands
  std::vector<float> out(8);
  std::vector<float> expected(8);
  const AttentionShape shape{2, 32, 4};
  attention(shape, q.data(), bank.segments, 1.0F, out.data());
  attention_reference(shape, q.data(), bank.segments, 1.0F, expected.data());
  EXPECT_LT(largest_difference(out, expected), 1e-3);
}

TEST_P(AttentionF32, LaterMaximumRescalesWhatWasSummedBefore) {
  // Scores rise with the key index over several blocks, so that each block has a new maximum.
  const int64_t rows = 700;
  std::vector<float> keys(static_cast<size_t>(rows), 0.0F);
  std::vector<float> values(static_cast<size_t>(rows));
  for (int64_t r = 0; r < rows; ++r) {
    keys[static_cast<size_t>(r)] = static_cast<float>(r) * 0.01F;
    values[static_cast<size_t>(r)] = static_cast<float>(r % 13);
  }
  const std::vector<KeySegment> segments = {{keys.data(), values.data(), rows, rows}};
  const float q[2] = {1.0F, -1.0F};  // the second sees falling scores
  std::vector<float> out(2);
  std::vector<float> expected(2);
  attention({2, 1, 1}, q, segments, 1.0F, out.data());
  attention_reference({2, 1, 1}, q, segments, 1.0F, expected.data());
  EXPECT_LT(largest_difference(out, expected), 2e-5);
}

TEST(AttentionTest, ResultDoesNotDependOnTheThreadCount) {
  const Bank bank(256, 64, {500, 40}, 1.0F);
  const auto q = normal(300 * 256, 1);
  const AttentionShape shape{300, 256, 64};
  std::vector<float> one(300 * 64);
  std::vector<float> four(one.size());
  set_thread_budget(1);
  attention(shape, q.data(), bank.segments, 0.0625F, one.data());
  set_thread_budget(4);
  attention(shape, q.data(), bank.segments, 0.0625F, four.data());
  set_thread_budget(0);
  EXPECT_EQ(one, four);
}

TEST(AttentionTest, NanInAKeyIsNotHidden) {
  Bank bank(32, 4, {50}, 1.0F);
  bank.keys[0][40] = std::numeric_limits<float>::quiet_NaN();
  const auto q = normal(32, 1);
  std::vector<float> out(4, 0.0F);
  attention({1, 32, 4}, q.data(), bank.segments, 1.0F, out.data());
  EXPECT_TRUE(std::isnan(out[0]));
}

using testing::HasSubstr;
using testing::ThrowsMessage;

TEST(AttentionTest, RefusesWhatHasNoMeaning) {
  const Bank empty(32, 4, {0}, 1.0F);
  Bank bank(40, 4, {5}, 1.0F);
  const auto q = normal(2 * 40, 1);
  std::vector<float> out(8);
  EXPECT_THAT(
      [&] {
        attention({2, 32, 4}, q.data(), empty.segments, 1.0F, out.data());
      },
      ThrowsMessage<Error>(HasSubstr("must have a key, got none")));
  EXPECT_THAT(
      [&] {
        attention({0, 40, 4}, q.data(), bank.segments, 1.0F, out.data());
      },
      ThrowsMessage<Error>(HasSubstr("must be positive, got 0, 40 and 4")));
  EXPECT_THAT(
      [&] {
        attention({2, 40, 4}, q.data(), bank.segments_bf16, 1.0F, out.data());
      },
      ThrowsMessage<Error>(HasSubstr("must be a multiple of 32, got 40")));
  bank.segments[0].value_stride = 4;
  EXPECT_THAT(
      [&] {
        attention({2, 40, 4}, q.data(), bank.segments, 1.0F, out.data());
      },
      ThrowsMessage<Error>(HasSubstr("value stride of at least 5, got 4")));
}

}  // namespace
}  // namespace voxloom::kernels
