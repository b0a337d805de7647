#pragma once

#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "voxloom/kernels/isa.h"

namespace voxloom::kernels {

/// Normally distributed numbers, the same for the same seed.
inline std::vector<float> normal(int64_t count, uint32_t seed, float deviation = 1.0F) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> distribution(0.0F, deviation);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& v : values) v = distribution(engine);
  return values;
}

inline double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  double largest = 0.0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double d = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    if (!(d <= largest)) largest = d;  // NaN counts as a difference
  }
  return largest;
}

/// |a - b| / |b|, Euclidean.
inline double relative_error(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  double difference = 0.0;
  double norm = 0.0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double d = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    difference += d * d;
    norm += static_cast<double>(b[i]) * static_cast<double>(b[i]);
  }
  return std::sqrt(difference / norm);
}

/// Runs a test once per instruction set of one precision; skips what this machine lacks.
class IsaTest : public testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    if (!isa_supported(GetParam())) {
      GTEST_SKIP() << "this machine has no " << isa_name(GetParam());
    }
    set_isa_limit(GetParam());
  }
  void TearDown() override { set_isa_limit(std::nullopt); }
};

inline std::string isa_test_name(const testing::TestParamInfo<Isa>& info) {
  return std::string(isa_name(info.param));
}

inline auto f32_isas() {
  return testing::Values(Isa::kScalar, Isa::kAvx2, Isa::kAvx512);
}
inline auto bf16_isas() {
  return testing::Values(Isa::kScalar, Isa::kAvx512Bf16, Isa::kAmxBf16);
}

}  // namespace voxloom::kernels
