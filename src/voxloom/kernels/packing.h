#pragma once

#include <cstdint>

#include "voxloom/kernels/bf16.h"

namespace voxloom::kernels {

/// Packs rows as the lanes of a panel: x [rows, k] (row stride ldx) -> panel [k][lanes], times
/// `scale`; lanes beyond `rows` are zero.
void pack_panel(
    const float* x, int64_t ldx, int64_t rows, int64_t k, int64_t lanes, float scale, float* panel);

/// The same in bf16: panel [padded_rows(k) / 2][lanes][2], steps beyond k zero.
void pack_panel(
    const float* x, int64_t ldx, int64_t rows, int64_t k, int64_t lanes, float scale, Bf16* panel);

/// x [rows, columns] -> y [columns][ldy], ldy >= rows. Elements beyond `rows` stay as they are.
void transpose(const float* x, int64_t rows, int64_t columns, float* y, int64_t ldy);

/// The same, rounded to bf16.
void transpose(const float* x, int64_t rows, int64_t columns, Bf16* y, int64_t ldy);

/// Zero for the elements from `rows` to padded_rows(rows) of each row of y [columns][ldy].
void pad_transposed(int64_t rows, int64_t columns, Bf16* y, int64_t ldy);

/// x [rows, columns] -> y [padded_rows(rows), columns] in bf16, the added rows zero.
void convert_rows(const float* x, int64_t rows, int64_t columns, Bf16* y);

}  // namespace voxloom::kernels
