#include "voxloom/kernels/linear.h"

#include <algorithm>

#include "voxloom/core/error.h"
#include "voxloom/core/parallel.h"
#include "voxloom/kernels/packing.h"
#include "voxloom/kernels/simd/ops.h"

namespace voxloom::kernels {
namespace {

// Part of `in` that is multiplied at a time: a panel of it fits the first-level cache.
constexpr int64_t kDepth = 256;

void write_tile(const float* tile,
                int64_t lanes,
                int64_t rows,
                int64_t columns,
                const float* bias,
                LinearOutput output,
                float* y,
                int64_t ldy) {
  for (int64_t r = 0; r < rows; ++r, tile += lanes, y += ldy) {
    switch (output) {
      case LinearOutput::kPlain:
        for (int64_t c = 0; c < columns; ++c) y[c] = tile[c] + bias[c];
        break;
      case LinearOutput::kRelu:
        for (int64_t c = 0; c < columns; ++c) y[c] = std::max(tile[c] + bias[c], 0.0F);
        break;
      case LinearOutput::kAdd:
        for (int64_t c = 0; c < columns; ++c) y[c] += tile[c] + bias[c];
        break;
    }
  }
}

}  // namespace

int64_t block_rows(int64_t rows) {
  constexpr int64_t kMultiple = 48;  // of the 6 and 12 rows of AVX2 and AVX-512, the 16 of AMX
  constexpr int64_t kLargest = 2 * kMultiple;
  const int64_t threads = thread_budget();
  const int64_t share = (rows + 4 * threads - 1) / (4 * threads);  // four blocks a thread
  return std::clamp((share + kMultiple - 1) / kMultiple * kMultiple, kMultiple, kLargest);
}

PackedLinear::PackedLinear(const float* weight,
                           const float* bias,
                           int64_t in_channels,
                           int64_t out_channels,
                           Precision precision)
    : in_(in_channels), out_(out_channels) {
  const bool bf16 = precision == Precision::kBf16;
  VOXLOOM_CHECK(in_ > 0 && out_ > 0 && weight != nullptr,
                ErrorCode::kInvalidArgument,
                "linear: must have weights [out, in], got [{}, {}]",
                out_,
                in_);
  VOXLOOM_CHECK(!bf16 || padded_rows(in_) == in_,
                ErrorCode::kInvalidArgument,
                "linear: input channels in bf16 must be a multiple of {}, got {}",
                kBf16RowMultiple,
                in_);
  if (bf16) {
    bf16_ = &simd::bf16_ops();
  } else {
    f32_ = &simd::f32_ops();
  }
  const int64_t lanes = bf16 ? bf16_->lanes : f32_->lanes;
  const int64_t panels = (out_ + lanes - 1) / lanes;
  if (bf16) {
    panels_bf16_.ensure(panels * in_ * lanes);
  } else {
    panels_.ensure(panels * in_ * lanes);
  }
  for (int64_t p = 0; p < panels; ++p) {
    const float* rows = weight + p * lanes * in_;
    const int64_t count = std::min(lanes, out_ - p * lanes);
    if (bf16) {
      pack_panel(rows, in_, count, in_, lanes, 1.0F, panels_bf16_.data() + p * in_ * lanes);
    } else {
      pack_panel(rows, in_, count, in_, lanes, 1.0F, panels_.data() + p * in_ * lanes);
    }
  }
  bias_.zeros(out_);
  if (bias != nullptr) std::copy_n(bias, out_, bias_.data());
}

void PackedLinear::apply(const float* x, int64_t rows, float* y, LinearOutput output) const {
  thread_local Buffer<float> tile_buffer;
  thread_local Buffer<Bf16> input_buffer;
  const int64_t lanes = bf16_ != nullptr ? bf16_->lanes : f32_->lanes;
  float* tile = tile_buffer.ensure(rows * lanes);
  Bf16* input = nullptr;
  if (bf16_ != nullptr) {
    input = input_buffer.ensure(rows * in_);
    bf16_->convert(x, rows * in_, input);
  }
  for (int64_t column = 0; column < out_; column += lanes) {
    for (int64_t k = 0; k < in_; k += kDepth) {
      const int64_t depth = std::min(kDepth, in_ - k);
      const int64_t panel = column * in_ + k * lanes;
      if (bf16_ != nullptr) {
        const Bf16* b = panels_bf16_.data() + panel;
        bf16_->gemm(rows, depth, input + k, in_, b, tile, lanes, k > 0);
      } else {
        f32_->gemm(rows, depth, x + k, in_, panels_.data() + panel, tile, lanes, k > 0);
      }
    }
    write_tile(tile,
               lanes,
               rows,
               std::min(lanes, out_ - column),
               bias_.data() + column,
               output,
               y + column,
               out_);
  }
}

void PackedLinear::apply_parallel(const float* x,
                                  int64_t rows,
                                  float* y,
                                  LinearOutput output) const {
  const int64_t block = block_rows(rows);
  parallel_for(0, (rows + block - 1) / block, 1, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      const int64_t first = b * block;
      apply(x + first * in_, std::min(block, rows - first), y + first * out_, output);
    }
  });
}

}  // namespace voxloom::kernels
