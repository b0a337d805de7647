#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "voxloom/data/augment.h"
#include "voxloom/data/batch_queue.h"
#include "voxloom/data/image_cache.h"
#include "voxloom/data/loader_options.h"

namespace voxloom::data {

/// Says what batch b of epoch e holds: order, crops and augmentation come from Rng streams made of
/// the seed, the epoch and the place in the epoch, whatever rank makes it. Thread-safe.
class BatchMaker {
 public:
  /// Throws kInvalidArgument: options out of range, no samples, fewer than a batch with drop_last,
  /// sealed samples in training.
  BatchMaker(std::vector<dataset::Sample> samples, const LoaderOptions& options);

  [[nodiscard]] int64_t batches_per_epoch() const;
  [[nodiscard]] RawBatch make(int64_t epoch, int64_t batch);
  [[nodiscard]] ImageCache::Usage cache_usage() const { return cache_.usage(); }

 private:
  using Order = std::vector<int64_t>;
  [[nodiscard]] std::shared_ptr<const Order> order(int64_t epoch);
  /// What the network sees: the image and mask of a sample, and the images of frames before it,
  /// cut and bent in the same way.
  struct Clip {
    Example now;
    std::vector<Plane> earlier;
  };
  [[nodiscard]] Clip make_clip(int64_t item, bool on_object, int64_t epoch, int64_t place);
  void widen_to_all(const Order& items, int64_t first, RawBatch& batch);

  LoaderOptions options_;
  ImageCache cache_;
  std::vector<std::vector<int64_t>> earlier_;  ///< By sample; empty with one frame.
  std::mutex mutex_;                           ///< Of what follows.
  int64_t order_epoch_ = -1;
  std::shared_ptr<const Order> order_;
};

/// For each sample the `count` frames before it, nearest first, as indices into `samples`: same
/// data set, subset and sequence, frame numbers one, two, ... lower. Where one is missing, the
/// frame after it stands for it: at the start of a sequence, and where not every frame is in the
/// list.
[[nodiscard]] std::vector<std::vector<int64_t>> earlier_frames(
    const std::vector<dataset::Sample>& samples, int64_t count);

/// Where a crop of `side` px lies: around a random pixel of a random class of objects where
/// `on_object` and there is one, else anywhere; inside the image as far as that is large enough.
[[nodiscard]] Window choose_crop(const SourceView& image, int64_t side, bool on_object, Rng& rng);

}  // namespace voxloom::data
