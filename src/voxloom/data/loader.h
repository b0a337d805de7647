#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>

#include "voxloom/data/loader_options.h"
#include "voxloom/dataset/sample.h"

namespace voxloom::data {

/// One step's worth of samples (of this rank).
struct Batch {
  at::Tensor image;            ///< [B, frames, H, W] float32 in [0, 1], objects dark.
  at::Tensor target;           ///< [B, H, W] uint8, WireClass values; 255 where padded or ignored.
  std::vector<int64_t> items;  ///< Indices into the sample list.
  double wait_s = 0.0;         ///< How long next() had to wait.
};

/// Turns samples into batches on worker threads. Deterministic: what batch b of epoch e holds
/// depends on seed, e and b alone, never on the number of workers or on timing. Of R ranks each
/// makes its R-th part of batch b, in order: together they make what one rank alone would.
class Loader {
 public:
  Loader(std::vector<dataset::Sample> samples, const LoaderOptions& options);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  [[nodiscard]] int64_t batches_per_epoch() const;
  /// Starts epoch `epoch` at batch `first_batch` (resuming); what was prefetched is dropped.
  void begin_epoch(int64_t epoch, int64_t first_batch = 0);
  /// The next batch, or none at the end of the epoch. Rethrows what reading a sample threw.
  [[nodiscard]] std::optional<Batch> next();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace voxloom::data
