#pragma once

#include <cstdint>

// The tile product, over a policy that is either the processor's tile registers (ops_amx.cpp) or
// a model of them in plain C++ (the test), so that addressing and edges are checked everywhere.
//
// Unnamed namespace for the reason given in generic.h.
namespace voxloom::kernels::simd {
namespace {  // NOLINT(google-build-namespaces)

/// The 64 bytes of LDTILECFG: palette 1, up to 16 rows of 64 bytes a tile.
struct alignas(64) TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t bytes_per_row[16] = {};
  uint8_t rows[16] = {};
};

/// Tiles 0-3 are the sums (2 x 2 blocks of 16 x 16 f32), 4 and 5 the rows of A (upper, lower),
/// 6 and 7 the panel B (16 pairs x 16 lanes, left and right). upper and lower: rows in use, 1-16;
/// lower = 0 leaves tiles 2, 3 and 5 unused.
inline TileConfig make_tile_config(int64_t upper, int64_t lower) {
  TileConfig config;
  const auto set = [&config](int tile, int64_t rows) {
    config.rows[tile] = static_cast<uint8_t>(rows);
    config.bytes_per_row[tile] = static_cast<uint16_t>(rows > 0 ? 64 : 0);
  };
  set(0, upper);
  set(1, upper);
  set(2, lower);
  set(3, lower);
  set(4, upper);
  set(5, lower);
  set(6, 16);
  set(7, 16);
  return config;
}

/// C [m, 32] (+)= A [m, k] B [k, 32]; B packed as [k / 2][32][2]; k a multiple of 32.
template <class Tiles>
void amx_gemm(Tiles& tiles,
              int64_t m,
              int64_t k,
              const uint16_t* a,
              int64_t lda,
              const uint16_t* b,
              float* c,
              int64_t ldc,
              bool accumulate) {
  constexpr int64_t panel_stride = 32 * 2 * sizeof(uint16_t);  // one pair row of B
  const auto a_stride = static_cast<int64_t>(lda * sizeof(uint16_t));
  const auto c_stride = static_cast<int64_t>(ldc * sizeof(float));
  int64_t configured_upper = -1;
  int64_t configured_lower = -1;
  for (int64_t i = 0; i < m; i += 32) {
    const int64_t upper = m - i < 16 ? m - i : 16;
    const int64_t rest = m - i - upper;
    const int64_t lower = rest < 16 ? rest : 16;
    if (upper != configured_upper || lower != configured_lower) {
      const TileConfig config = make_tile_config(upper, lower);
      tiles.configure(&config);
      configured_upper = upper;
      configured_lower = lower;
    }
    float* c_upper = c + i * ldc;
    float* c_lower = c_upper + 16 * ldc;
    const uint16_t* a_upper = a + i * lda;
    const uint16_t* a_lower = a_upper + 16 * lda;
    if (accumulate) {
      tiles.template load<0>(c_upper, c_stride);
      tiles.template load<1>(c_upper + 16, c_stride);
      if (lower > 0) {
        tiles.template load<2>(c_lower, c_stride);
        tiles.template load<3>(c_lower + 16, c_stride);
      }
    } else {
      tiles.template zero<0>();
      tiles.template zero<1>();
      if (lower > 0) {
        tiles.template zero<2>();
        tiles.template zero<3>();
      }
    }
    for (int64_t p = 0; p < k; p += 32) {
      const uint16_t* panel = b + p * 32;
      tiles.template load<6>(panel, panel_stride);
      tiles.template load<7>(panel + 32, panel_stride);
      tiles.template load<4>(a_upper + p, a_stride);
      tiles.template multiply<0, 4, 6>();
      tiles.template multiply<1, 4, 7>();
      if (lower > 0) {
        tiles.template load<5>(a_lower + p, a_stride);
        tiles.template multiply<2, 5, 6>();
        tiles.template multiply<3, 5, 7>();
      }
    }
    tiles.template store<0>(c_upper, c_stride);
    tiles.template store<1>(c_upper + 16, c_stride);
    if (lower > 0) {
      tiles.template store<2>(c_lower, c_stride);
      tiles.template store<3>(c_lower + 16, c_stride);
    }
  }
}

}  // namespace
}  // namespace voxloom::kernels::simd
