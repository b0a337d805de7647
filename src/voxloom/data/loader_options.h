#pragma once

#include <cstdint>
#include <string>

#include "voxloom/data/augment_options.h"
#include "voxloom/data/box_crop.h"

namespace voxloom::data {

/// What a Loader does beside reading.
struct LoaderOptions {
  int64_t batch_size = 4;          ///< Of all ranks together.
  int64_t rank = 0, ranks = 1;     ///< Which share of every batch is made here.
  int64_t crop = 0;                ///< Side of square training crops in px; 0: whole images.
  double foreground_share = 0.33;  ///< Share of a batch centred on an object pixel.
  bool shuffle = true;             ///< Training; without it items come in order, whole, unchanged.
  bool drop_last = true;           ///< Leave out the last, smaller batch of an epoch.
  int64_t pad_multiple = 1;        ///< Heights and widths are padded (ignored) to this.
  int64_t workers = 1;             ///< Threads.
  int64_t prefetch = 4;            ///< Batches made ahead: bounds memory.
  int64_t cache_mb = 512;          ///< Decoded images kept in memory, as 8 bits; others on disk.
  int64_t frames = 1;              ///< The frame, then those before it in its sequence.
  BoxCrops boxes;                  ///< Crops round objects, resized to `crop`.
  uint64_t seed = 0;
  AugmentOptions augment;
  std::string cache_dir;  ///< For what `cache_mb` does not hold; empty: the temporary folder.

  /// Throws kInvalidArgument.
  void validate() const;
};

}  // namespace voxloom::data
