#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "voxloom/image/volume.h"
#include "voxloom/image/window.h"
#include "voxloom/infer_ml/feature_store.h"

namespace voxloom::infer_ml {

class FeaturePool;

/// The features of one image under one window, shared by all sessions that hold it. They go when
/// the last holder lets go of it. Thread-safe.
class ImageFeatures {
 public:
  ~ImageFeatures();
  ImageFeatures(const ImageFeatures&) = delete;
  ImageFeatures& operator=(const ImageFeatures&) = delete;

  [[nodiscard]] const image::GreyMap& grey_map() const { return grey_map_; }

  /// The maps of slice z, by `make` where nobody made them yet. Threads that want the same slice
  /// make it once: calls of `make` never overlap within a pool, since they use the network's
  /// encoder and read an image, neither of which can be used by two threads at once.
  /// Throws what `make` throws, and what FeatureStore does.
  [[nodiscard]] FeatureMaps get(int64_t z, const std::function<FeatureMaps()>& make);

 private:
  friend class FeaturePool;
  ImageFeatures(std::shared_ptr<FeaturePool> pool,
                std::shared_ptr<image::VolumeSource> volume,
                std::string window,
                const image::GreyMap& grey_map,
                int64_t set);

  std::shared_ptr<FeaturePool> pool_;
  /// Held, so that the address names the image as long as this lives.
  std::shared_ptr<image::VolumeSource> volume_;
  std::string window_;
  image::GreyMap grey_map_;
  int64_t set_;  ///< In the pool's store.
};

/// The slice features of all sessions of one network, so that a second label, a second client or a
/// session made ahead of the first click encodes nothing again. One network means one precision
/// and one preprocessing, so image and window name a set of features. Thread-safe.
class FeaturePool : public std::enable_shared_from_this<FeaturePool> {
 public:
  /// budget_bytes: features kept in memory, over all images; the rest spills to a file.
  /// half: keep them as bfloat16 (a run in bf16 loses nothing that its encoder had).
  [[nodiscard]] static std::shared_ptr<FeaturePool> make(int64_t budget_bytes, bool half);

  /// The features of `volume` (the same object means the same image) under `window`: those that
  /// another session holds, else new ones, for which the window is worked out from the voxels.
  /// Throws what image::parse_window and image::resolve_window do.
  [[nodiscard]] std::shared_ptr<ImageFeatures> open(
      const std::shared_ptr<image::VolumeSource>& volume, const std::string& window);

  [[nodiscard]] int64_t slices() const;          ///< That have features.
  [[nodiscard]] int64_t spilled_slices() const;  ///< Of those, in the file.
  [[nodiscard]] int64_t resident_bytes() const;  ///< Of features in memory.

 private:
  friend class ImageFeatures;
  FeaturePool(int64_t budget_bytes, bool half) : store_(budget_bytes, half) {}
  [[nodiscard]] std::shared_ptr<ImageFeatures> find(const image::VolumeSource* volume,
                                                    const std::string& window);

  std::mutex making_;         ///< Held while an image is read or a slice encoded; taken first.
  mutable std::mutex mutex_;  ///< Guards the members below; held for moments only.
  FeatureStore store_;
  std::vector<std::weak_ptr<ImageFeatures>> open_;
  int64_t sets_ = 0;  ///< Made so far.
};

}  // namespace voxloom::infer_ml
