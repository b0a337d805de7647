#pragma once

#include <memory>

#include "voxloom/kernels/isa.h"
#include "voxloom/models/sam2/memory.h"
#include "voxloom/models/sam2/memory_attention.h"

namespace voxloom::models::sam2 {

/// How memory attention is computed. Thread-safe once built.
class MemoryBackend {
 public:
  virtual ~MemoryBackend() = default;

  /// f2 [1, C, g, g] without memory -> the features conditioned on `memory`, [1, C, g, g].
  virtual at::Tensor condition(const at::Tensor& f2, const MemoryRead& memory) = 0;
};

/// The parameters and tables that a backend reads.
struct MemoryBackendParts {
  MemoryAttention attention{nullptr};
  at::Tensor temporal_rows;    ///< [num_memories, memory_dim]
  at::Tensor image_position;   ///< [g^2, C], sine.
  at::Tensor memory_position;  ///< [g^2, memory_dim], sine.
  int64_t grid = 0;
  double rope_theta = 10000.0;
};

/// Runs the modules with libtorch, on any device; follows changes of the weights.
[[nodiscard]] std::unique_ptr<MemoryBackend> make_torch_memory_backend(MemoryBackendParts parts);

/// Runs the CPU kernel (kernels::MemoryAttention), which projects and rotates the keys of a
/// memory map once, when it is first read, and attends over the memory's own channels. Copies
/// the weights: later changes are not seen. Throws kInvalidArgument for bf16 with widths that
/// are no multiples of 32.
[[nodiscard]] std::unique_ptr<MemoryBackend> make_fast_memory_backend(
    const MemoryBackendParts& parts, kernels::Precision precision);

}  // namespace voxloom::models::sam2
