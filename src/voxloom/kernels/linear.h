#pragma once

#include <cstdint>

#include "voxloom/kernels/buffer.h"
#include "voxloom/kernels/isa.h"

namespace voxloom::kernels {

namespace simd {
struct F32Ops;
struct Bf16Ops;
}  // namespace simd

/// What happens to x weight^T + bias on its way out.
enum class LinearOutput {
  kPlain,  ///< y = result
  kRelu,   ///< y = max(result, 0)
  kAdd,    ///< y += result (a residual path)
};

/// How many rows to hand to PackedLinear::apply at once when `rows` are split over threads: a
/// multiple of the register tile, small enough that all threads get work.
[[nodiscard]] int64_t block_rows(int64_t rows);

/// A linear layer with its weights packed for the present instruction set.
///
/// bf16: weights and inputs are rounded to bf16, sums and outputs are f32.
/// Const calls may run at once from several threads.
class PackedLinear {
 public:
  PackedLinear() = default;
  /// weight [out, in] row-major, bias [out] or null; both are copied.
  /// Throws kInvalidArgument for empty sizes, or bf16 with `in` not a multiple of 32.
  PackedLinear(const float* weight,
               const float* bias,
               int64_t in_channels,
               int64_t out_channels,
               Precision precision);

  /// x [rows, in] -> y [rows, out] on the calling thread: whoever splits rows over threads can
  /// chain several layers while a block of rows is in the cache. y must not overlap x.
  void apply(const float* x, int64_t rows, float* y, LinearOutput output) const;

  /// The same over thread_budget() threads, in blocks of block_rows(rows).
  void apply_parallel(const float* x, int64_t rows, float* y, LinearOutput output) const;

  [[nodiscard]] int64_t in_channels() const { return in_; }
  [[nodiscard]] int64_t out_channels() const { return out_; }

 private:
  int64_t in_ = 0;
  int64_t out_ = 0;
  const simd::F32Ops* f32_ = nullptr;  // exactly one of the two is set
  const simd::Bf16Ops* bf16_ = nullptr;
  Buffer<float> panels_;          // [ceil(out / lanes)][in][lanes]
  Buffer<uint16_t> panels_bf16_;  // [ceil(out / lanes)][in / 2][lanes][2]
  Buffer<float> bias_;
};

}  // namespace voxloom::kernels
