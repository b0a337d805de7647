#include "voxloom/kernels/packing.h"

#include <algorithm>

#include "voxloom/kernels/simd/ops.h"

namespace voxloom::kernels {
namespace {

// Square blocks: both sides touch a few cache lines at a time.
constexpr int64_t kBlock = 16;

template <class T, class Convert>
void transpose_blocks(
    const float* x, int64_t rows, int64_t columns, T* y, int64_t ldy, Convert convert) {
  for (int64_t r0 = 0; r0 < rows; r0 += kBlock) {
    const int64_t r1 = std::min(rows, r0 + kBlock);
    for (int64_t c = 0; c < columns; ++c) {
      for (int64_t r = r0; r < r1; ++r) y[c * ldy + r] = convert(x[r * columns + c]);
    }
  }
}

}  // namespace

void pack_panel(const float* x,
                int64_t ldx,
                int64_t rows,
                int64_t k,
                int64_t lanes,
                float scale,
                float* panel) {
  for (int64_t p = 0; p < k; ++p) {
    float* out = panel + p * lanes;
    for (int64_t r = 0; r < rows; ++r) out[r] = x[r * ldx + p] * scale;
    std::fill(out + rows, out + lanes, 0.0F);
  }
}

void pack_panel(
    const float* x, int64_t ldx, int64_t rows, int64_t k, int64_t lanes, float scale, Bf16* panel) {
  const int64_t padded = padded_rows(k);
  for (int64_t p = 0; p < padded; p += 2) {
    Bf16* out = panel + p * lanes;
    for (int64_t r = 0; r < lanes; ++r) {
      const bool inside = r < rows;
      out[2 * r] = inside && p < k ? to_bf16(x[r * ldx + p] * scale) : Bf16{0};
      out[2 * r + 1] = inside && p + 1 < k ? to_bf16(x[r * ldx + p + 1] * scale) : Bf16{0};
    }
  }
}

void transpose(const float* x, int64_t rows, int64_t columns, float* y, int64_t ldy) {
  transpose_blocks(x, rows, columns, y, ldy, [](float v) { return v; });
}

void transpose(const float* x, int64_t rows, int64_t columns, Bf16* y, int64_t ldy) {
  transpose_blocks(x, rows, columns, y, ldy, to_bf16);
}

void pad_transposed(int64_t rows, int64_t columns, Bf16* y, int64_t ldy) {
  for (int64_t c = 0; c < columns; ++c) {
    std::fill(y + c * ldy + rows, y + c * ldy + padded_rows(rows), Bf16{0});
  }
}

void convert_rows(const float* x, int64_t rows, int64_t columns, Bf16* y) {
  simd::bf16_ops().convert(x, rows * columns, y);
  std::fill(y + rows * columns, y + padded_rows(rows) * columns, Bf16{0});
}

}  // namespace voxloom::kernels
