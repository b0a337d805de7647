#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include <gmock/gmock.h>

#include "voxloom/core/error.h"
#include "voxloom/kernels/bf16.h"
#include "voxloom/kernels/cpu_features.h"
#include "voxloom/kernels/linear.h"
#include "voxloom/kernels/packing.h"
#include "voxloom/kernels/rope.h"
#include "voxloom/kernels/simd/amx_gemm.h"
#include "voxloom/kernels/simd/ops.h"

#include "kernel_test_util.h"

namespace voxloom::kernels {
namespace {

class F32OpsTest : public IsaTest {};
class Bf16OpsTest : public IsaTest {};
INSTANTIATE_TEST_SUITE_P(Isa, F32OpsTest, f32_isas(), isa_test_name);
INSTANTIATE_TEST_SUITE_P(Isa, Bf16OpsTest, bf16_isas(), isa_test_name);

TEST_P(F32OpsTest, ExponentialIsAccurateToTwoUnits) {
  const simd::F32Ops& ops = simd::f32_ops();
  double worst = 0.0;
  std::vector<float> scores(static_cast<size_t>(ops.lanes));
  std::vector<float> max(scores.size());
  std::vector<float> sum(scores.size());
  std::vector<float> factor(scores.size());
  for (float x = 0.0F; x > -125.0F; x -= 0.00731F) {
    std::fill(max.begin(), max.end(), 0.0F);
    std::fill(sum.begin(), sum.end(), 0.0F);
    std::fill(scores.begin(), scores.end(), x);
    ops.softmax_step(scores.data(), 1, max.data(), sum.data(), factor.data());
    const double exact = std::exp2(static_cast<double>(x));
    worst = std::max(worst, std::abs(static_cast<double>(scores[0]) / exact - 1.0));
    ASSERT_EQ(scores[0], sum[0]);
  }
  EXPECT_LT(worst, 2.4e-7);
}

TEST_P(F32OpsTest, ExponentialReachesZeroBelowTheRange) {
  const simd::F32Ops& ops = simd::f32_ops();
  for (const float x : {-151.0F, -1e4F, -1e30F, -std::numeric_limits<float>::infinity()}) {
    std::vector<float> scores(static_cast<size_t>(ops.lanes), x);
    std::vector<float> max(scores.size(), 0.0F);
    std::vector<float> sum(scores.size(), 0.0F);
    std::vector<float> factor(scores.size(), -1.0F);
    EXPECT_FALSE(ops.softmax_step(scores.data(), 1, max.data(), sum.data(), factor.data()));
    EXPECT_EQ(scores[0], 0.0F) << x;
    EXPECT_EQ(factor[0], 1.0F);
  }
}

TEST_P(F32OpsTest, ProductHandlesEveryRowCount) {
  const simd::F32Ops& ops = simd::f32_ops();
  const int64_t k = 19;
  const auto b = normal(k * ops.lanes, 2);
  for (int64_t m = 1; m <= 27; ++m) {
    const int64_t lda = k + 2;
    const int64_t ldc = ops.lanes + 3;
    const auto a = normal(m * lda, 3);
    auto c = normal(m * ldc, 4);
    const auto before = c;
    ops.gemm(m, k, a.data(), lda, b.data(), c.data(), ldc, true);
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < ldc; ++j) {
        double expected = static_cast<double>(before[static_cast<size_t>(i * ldc + j)]);
        for (int64_t p = 0; j < ops.lanes && p < k; ++p) {
          expected += static_cast<double>(a[static_cast<size_t>(i * lda + p)]) *
                      static_cast<double>(b[static_cast<size_t>(p * ops.lanes + j)]);
        }
        ASSERT_NEAR(static_cast<double>(c[static_cast<size_t>(i * ldc + j)]), expected, 2e-5)
            << "row " << i << " of " << m << ", lane " << j;
      }
    }
  }
}

TEST_P(F32OpsTest, LayerNormHandlesAnyWidthAndALargeMean) {
  for (const int64_t width : {1, 5, 16, 100, 256}) {
    auto x = normal(3 * width, 5);
    for (float& v : x) v += 50.0F;
    const auto weight = normal(width, 6);
    const auto bias = normal(width, 7);
    std::vector<float> y(x.size());
    simd::f32_ops().layer_norm(x.data(), 3, width, weight.data(), bias.data(), 1e-5F, y.data());
    for (int64_t r = 0; r < 3; ++r) {
      double mean = 0.0;
      double square = 0.0;
      for (int64_t i = 0; i < width; ++i) mean += static_cast<double>(x[r * width + i]);
      mean /= static_cast<double>(width);
      for (int64_t i = 0; i < width; ++i) {
        square += std::pow(static_cast<double>(x[r * width + i]) - mean, 2);
      }
      const double deviation = std::sqrt(square / static_cast<double>(width) + 1e-5);
      for (int64_t i = 0; i < width; ++i) {
        const double expected = (static_cast<double>(x[r * width + i]) - mean) / deviation *
                                    static_cast<double>(weight[i]) +
                                static_cast<double>(bias[i]);
        ASSERT_NEAR(static_cast<double>(y[r * width + i]), expected, 3e-4) << width;
      }
    }
  }
}

TEST_P(F32OpsTest, RotationFollowsItsFormula) {
  for (const int64_t channels : {4, 12, 64, 256}) {
    const int64_t height = 3;
    const int64_t width = 5;
    const RopeTable rope(channels, height, width);
    const auto x = normal(height * width * channels, 8);
    const auto shift = normal(channels, 9);
    std::vector<float> y(x.size());
    // In two parts, to see that the first token counts.
    rope.apply(x.data(), 0, 4, y.data(), shift.data());
    rope.apply(x.data() + 4 * channels, 4, 11, y.data() + 4 * channels, shift.data());
    for (int64_t n = 0; n < height * width; ++n) {
      for (int64_t pair = 0; pair < channels / 2; ++pair) {
        const int64_t p = pair % (channels / 4);
        const auto position = static_cast<double>(pair < channels / 4 ? n % width : n / width);
        const double angle =
            position *
            std::pow(10000.0, -4.0 * static_cast<double>(p) / static_cast<double>(channels));
        const int64_t at = n * channels + 2 * pair;
        const auto a = static_cast<double>(x[at]) + static_cast<double>(shift[2 * pair]);
        const auto b = static_cast<double>(x[at + 1]) + static_cast<double>(shift[2 * pair + 1]);
        ASSERT_NEAR(static_cast<double>(y[at]), a * std::cos(angle) - b * std::sin(angle), 2e-6);
        ASSERT_NEAR(
            static_cast<double>(y[at + 1]), a * std::sin(angle) + b * std::cos(angle), 2e-6);
      }
    }
  }
}

TEST(RopeTest, RotatesInPlaceAndRefusesTokensOutsideTheGrid) {
  const RopeTable rope(8, 2, 2);
  auto x = normal(4 * 8, 8);
  std::vector<float> y(x.size());
  rope.apply(x.data(), 0, 4, y.data());
  rope.apply(x.data(), 0, 4, x.data());
  EXPECT_EQ(x, y);
  EXPECT_THROW(rope.apply(x.data(), 1, 4, y.data()), Error);
  EXPECT_THROW(RopeTable(6, 2, 2), Error);
}

struct LinearCase {
  int64_t rows, in, out;
};

const LinearCase kLinearCases[] = {{1, 32, 1}, {7, 64, 33}, {97, 256, 70}, {50, 544, 256}};

void check_linear(Precision precision, double tolerance) {
  for (const auto& [rows, in, out] : kLinearCases) {
    SCOPED_TRACE(testing::PrintToString(std::array<int64_t, 3>{rows, in, out}));
    const auto weight = normal(out * in, 1, 1.0F / std::sqrt(static_cast<float>(in)));
    const auto bias = normal(out, 2);
    const auto x = normal(rows * in, 3);
    const auto start = normal(rows * out, 4);
    const PackedLinear linear(weight.data(), bias.data(), in, out, precision);
    std::vector<float> plain(start.size());
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t o = 0; o < out; ++o) {
        auto sum = static_cast<double>(bias[o]);
        for (int64_t i = 0; i < in; ++i) {
          sum += static_cast<double>(x[r * in + i]) * static_cast<double>(weight[o * in + i]);
        }
        plain[static_cast<size_t>(r * out + o)] = static_cast<float>(sum);
      }
    }
    auto y = start;
    linear.apply_parallel(x.data(), rows, y.data(), LinearOutput::kPlain);
    EXPECT_LT(relative_error(y, plain), tolerance);
    y = start;
    linear.apply(x.data(), rows, y.data(), LinearOutput::kAdd);
    auto expected = plain;
    for (size_t i = 0; i < plain.size(); ++i) expected[i] += start[i];
    EXPECT_LT(relative_error(y, expected), tolerance);
    linear.apply(x.data(), rows, y.data(), LinearOutput::kRelu);
    for (float& v : plain) v = std::max(v, 0.0F);
    const bool all_negative =
        std::all_of(plain.begin(), plain.end(), [](float v) { return v == 0.0F; });
    if (!all_negative) {
      EXPECT_LT(relative_error(y, plain), tolerance);
    }
  }
}

TEST_P(F32OpsTest, LinearEqualsTheDefinition) {
  check_linear(Precision::kF32, 1e-6);
}
TEST_P(Bf16OpsTest, LinearStaysWithinTheRoundingOfItsInputs) {
  check_linear(Precision::kBf16, 6e-3);
}

// bf16 products of small integers are exact: any wrong address shows at once.
std::vector<float> integers(int64_t count, uint32_t seed) {
  std::mt19937 engine(seed);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& v : values) v = static_cast<float>(static_cast<int>(engine() % 17) - 8);
  return values;
}

template <class Gemm>
void check_bf16_product(int64_t lanes, Gemm gemm) {
  for (const int64_t k : {32, 96}) {
    for (const int64_t m : {1, 2, 11, 12, 15, 16, 17, 31, 32, 33, 47, 48, 49, 70}) {
      for (const bool accumulate : {false, true}) {
        const int64_t lda = k + 6;
        const int64_t ldc = lanes + 4;
        const auto a = integers(m * lda, 1);
        const auto b = integers(lanes * k, 2);
        const auto start = integers(m * ldc, 3);
        std::vector<Bf16> a16(a.size());
        std::transform(a.begin(), a.end(), a16.begin(), to_bf16);
        std::vector<Bf16> panel(static_cast<size_t>(k * lanes));
        pack_panel(b.data(), k, lanes, k, lanes, 1.0F, panel.data());
        auto c = start;
        gemm(m, k, a16.data(), lda, panel.data(), c.data(), ldc, accumulate);
        for (int64_t i = 0; i < m; ++i) {
          for (int64_t j = 0; j < ldc; ++j) {
            float expected = accumulate || j >= lanes ? start[i * ldc + j] : 0.0F;
            for (int64_t p = 0; j < lanes && p < k; ++p) expected += a[i * lda + p] * b[j * k + p];
            ASSERT_EQ(c[i * ldc + j], expected)
                << "m " << m << " k " << k << " at " << i << "," << j;
          }
        }
      }
    }
  }
}

TEST_P(Bf16OpsTest, ProductIsExactOnSmallIntegers) {
  check_bf16_product(simd::bf16_ops().lanes, simd::bf16_ops().gemm);
}

TEST_P(Bf16OpsTest, ConversionRoundsToNearestEven) {
  std::vector<float> x = normal(77, 1);
  x[0] = 1.00390625F;  // halfway between 1 and 1.0078125: goes to the even 1
  x[1] = 1.01171875F;  // halfway: goes up to the even 1.015625
  x[2] = std::numeric_limits<float>::infinity();
  x[3] = 3.4e38F;  // rounds to infinity
  std::vector<Bf16> y(x.size());
  simd::bf16_ops().convert(x.data(), static_cast<int64_t>(x.size()), y.data());
  for (size_t i = 0; i < x.size(); ++i) EXPECT_EQ(y[i], to_bf16(x[i])) << x[i];
  EXPECT_EQ(from_bf16(y[0]), 1.0F);
  EXPECT_EQ(from_bf16(y[1]), 1.015625F);
  EXPECT_TRUE(std::isinf(from_bf16(y[3])));
}

// The tile registers in plain C++, with the checks that the processor makes: a tile must be
// configured, and shapes must agree. Runs the AMX product where there is no AMX.
class ModelTiles {
 public:
  void configure(const simd::TileConfig* config) {
    ASSERT_EQ(config->palette, 1);
    for (int t = 0; t < 8; ++t) {
      ASSERT_LE(config->rows[t], 16);
      ASSERT_LE(config->bytes_per_row[t], 64);
      ASSERT_EQ(config->rows[t] == 0, config->bytes_per_row[t] == 0);
    }
    config_ = *config;
    for (auto& tile : tiles_) tile.fill(0);
  }
  template <int Tile, class T>
  void load(const T* from, int64_t stride) {
    ASSERT_GT(config_.rows[Tile], 0);
    for (int r = 0; r < config_.rows[Tile]; ++r) {
      std::memcpy(tiles_[Tile].data() + 64 * r,
                  reinterpret_cast<const char*>(from) + r * stride,
                  config_.bytes_per_row[Tile]);
    }
  }
  template <int Tile>
  void store(float* to, int64_t stride) {
    ASSERT_GT(config_.rows[Tile], 0);
    for (int r = 0; r < config_.rows[Tile]; ++r) {
      std::memcpy(reinterpret_cast<char*>(to) + r * stride,
                  tiles_[Tile].data() + 64 * r,
                  config_.bytes_per_row[Tile]);
    }
  }
  template <int Tile>
  void zero() {
    ASSERT_GT(config_.rows[Tile], 0);
    tiles_[Tile].fill(0);
  }
  template <int Sum, int A, int B>
  void multiply() {
    ASSERT_EQ(config_.rows[Sum], config_.rows[A]);
    ASSERT_EQ(config_.bytes_per_row[Sum], config_.bytes_per_row[B]);
    ASSERT_EQ(config_.bytes_per_row[A], 4 * config_.rows[B]);
    for (int m = 0; m < config_.rows[A]; ++m) {
      for (int n = 0; n < config_.bytes_per_row[B] / 4; ++n) {
        float sum = 0.0F;
        std::memcpy(&sum, tiles_[Sum].data() + 64 * m + 4 * n, 4);
        for (int p = 0; p < config_.bytes_per_row[A] / 4; ++p) {
          Bf16 a[2];
          Bf16 b[2];
          std::memcpy(a, tiles_[A].data() + 64 * m + 4 * p, 4);
          std::memcpy(b, tiles_[B].data() + 64 * p + 4 * n, 4);
          sum += from_bf16(a[0]) * from_bf16(b[0]) + from_bf16(a[1]) * from_bf16(b[1]);
        }
        std::memcpy(tiles_[Sum].data() + 64 * m + 4 * n, &sum, 4);
      }
    }
  }

 private:
  simd::TileConfig config_;
  std::array<std::array<unsigned char, 1024>, 8> tiles_{};
};

TEST(AmxModelTest, TileProductIsExactOnSmallIntegers) {
  static_assert(sizeof(simd::TileConfig) == 64);
  check_bf16_product(32, [](auto... arguments) {
    ModelTiles tiles;
    simd::amx_gemm(tiles, arguments...);
  });
}

TEST(IsaChoiceTest, LimitHoldsBackFasterSets) {
  set_isa_limit(Isa::kScalar);
  EXPECT_EQ(active_isa(Precision::kF32), Isa::kScalar);
  EXPECT_EQ(active_isa(Precision::kBf16), Isa::kScalar);
  EXPECT_FALSE(has_fast_bf16());
  set_isa_limit(Isa::kAmxBf16);
  EXPECT_EQ(active_isa(Precision::kF32) == Isa::kAvx512, isa_supported(Isa::kAvx512));
  set_isa_limit(std::nullopt);
  EXPECT_EQ(has_fast_bf16(), isa_supported(Isa::kAvx512Bf16));
}

TEST(IsaChoiceTest, NamesReadBack) {
  for (const Isa isa : {Isa::kScalar, Isa::kAvx2, Isa::kAvx512, Isa::kAvx512Bf16, Isa::kAmxBf16}) {
    EXPECT_EQ(parse_isa(isa_name(isa)), isa);
  }
  EXPECT_FALSE(parse_isa("sse9").has_value());
}

}  // namespace
}  // namespace voxloom::kernels
