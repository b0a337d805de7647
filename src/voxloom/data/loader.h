#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>

#include "voxloom/data/augment_options.h"
#include "voxloom/dataset/sample.h"

namespace voxloom::data {

/// What a Loader does beside reading.
struct LoaderOptions {
  int64_t batch_size = 4;
  int64_t crop = 0;                ///< Side of square training crops in px; 0: whole images.
  double foreground_share = 0.33;  ///< Share of a batch centred on an object pixel.
  bool shuffle = true;             ///< Training; without it items come in order, whole, unchanged.
  bool drop_last = true;           ///< Leave out the last, smaller batch of an epoch.
  int64_t pad_multiple = 1;        ///< Heights and widths are padded (ignored) to this.
  int64_t workers = 1;             ///< Threads.
  int64_t prefetch = 4;            ///< Batches made ahead: bounds memory.
  int64_t cache_mb = 512;          ///< Decoded images kept in memory, as 8 bits.
  uint64_t seed = 0;
  AugmentOptions augment;
};

/// One step's worth of samples.
struct Batch {
  at::Tensor image;            ///< [B, 1, H, W] float32 in [0, 1], objects dark.
  at::Tensor target;           ///< [B, H, W] uint8, WireClass values; 255 where padded or ignored.
  std::vector<int64_t> items;  ///< Indices into the sample list.
  double wait_s = 0.0;         ///< How long next() had to wait.
};

/// Turns samples into batches on worker threads. Deterministic: what batch b of epoch e holds
/// depends on seed, e and b alone, never on the number of workers or on timing.
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
