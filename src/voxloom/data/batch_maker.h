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
  [[nodiscard]] Example make_example(const CachedImage& image,
                                     bool on_object,
                                     int64_t epoch,
                                     int64_t place) const;
  void widen_to_all(const Order& items, int64_t first, RawBatch& batch);

  LoaderOptions options_;
  ImageCache cache_;
  std::mutex mutex_;  ///< Of what follows.
  int64_t order_epoch_ = -1;
  std::shared_ptr<const Order> order_;
};

/// Where a crop of `side` px lies: around a random pixel of a random class of objects where
/// `on_object` and there is one, else anywhere; inside the image as far as that is large enough.
[[nodiscard]] Window choose_crop(const SourceView& image, int64_t side, bool on_object, Rng& rng);

}  // namespace voxloom::data
