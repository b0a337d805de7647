#pragma once

#include <cstdint>
#include <map>

#include <ATen/core/Tensor.h>

#include "voxloom/models/sam2/sam2.h"

namespace voxloom::recipes::segment {

/// What the slices of a clip left behind, with gradients, of N objects that share their prompts'
/// slices. The rules of models::sam2::MemoryBank in its training form: clips go forward, and
/// pointers of prompted slices ahead are read too.
class ClipMemory {
 public:
  /// `frames`: of the clip. The network must outlive the memory.
  ClipMemory(models::sam2::Sam2& network, int64_t frames) : network_(network), frames_(frames) {}

  /// map [N, memory_dim, g, g], pointer [N, C].
  void add(int64_t frame, bool prompted, const at::Tensor& map, const at::Tensor& pointer);

  /// f2 [N, C, g, g] of slice `frame`, conditioned on what it reads: the same shape.
  [[nodiscard]] at::Tensor condition(int64_t frame, const at::Tensor& f2);

 private:
  struct Record {
    at::Tensor tokens;   ///< [N, g^2, memory_dim]
    at::Tensor pointer;  ///< [N, C]
  };

  models::sam2::Sam2& network_;
  int64_t frames_;
  std::map<int64_t, Record> prompted_, tracked_;
};

}  // namespace voxloom::recipes::segment
