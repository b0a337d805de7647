#include "voxloom/infer_ml/feature_pool.h"

#include <optional>
#include <utility>

namespace voxloom::infer_ml {

ImageFeatures::ImageFeatures(std::shared_ptr<FeaturePool> pool,
                             std::shared_ptr<image::VolumeSource> volume,
                             std::string window,
                             const image::GreyMap& grey_map,
                             int64_t set)
    : pool_(std::move(pool)),
      volume_(std::move(volume)),
      window_(std::move(window)),
      grey_map_(grey_map),
      set_(set) {}

ImageFeatures::~ImageFeatures() {
  const std::lock_guard lock(pool_->mutex_);
  pool_->store_.erase_set(set_);
}

FeatureMaps ImageFeatures::get(int64_t z, const std::function<FeatureMaps()>& make) {
  const SliceKey key{set_, z};
  // Some networks have no fine levels, so an undefined map does not say that nothing was made.
  const auto present = [&]() -> std::optional<FeatureMaps> {
    const std::lock_guard lock(pool_->mutex_);
    if (!pool_->store_.contains(key)) return std::nullopt;
    return pool_->store_.get(key);
  };
  if (const auto maps = present()) return *maps;
  const std::lock_guard one_maker(pool_->making_);
  // Another thread may have made it while this one waited.
  if (const auto maps = present()) return *maps;
  const FeatureMaps made = make();
  const std::lock_guard lock(pool_->mutex_);
  pool_->store_.put(key, made);
  return pool_->store_.get(key);
}

std::shared_ptr<FeaturePool> FeaturePool::make(int64_t budget_bytes, bool half) {
  return std::shared_ptr<FeaturePool>(new FeaturePool(budget_bytes, half));
}

std::shared_ptr<ImageFeatures> FeaturePool::find(const image::VolumeSource* volume,
                                                 const std::string& window) {
  // What was locked here is let go after the mutex: its end takes the mutex.
  std::vector<std::shared_ptr<ImageFeatures>> held;
  std::shared_ptr<ImageFeatures> found;
  const std::lock_guard lock(mutex_);
  std::erase_if(open_, [](const auto& features) { return features.expired(); });
  for (const auto& weak : open_) {
    auto features = weak.lock();
    if (!features) continue;
    if (features->volume_.get() == volume && features->window_ == window) found = features;
    held.push_back(std::move(features));
  }
  return found;
}

std::shared_ptr<ImageFeatures> FeaturePool::open(const std::shared_ptr<image::VolumeSource>& volume,
                                                 const std::string& window) {
  if (auto found = find(volume.get(), window)) return found;
  const std::lock_guard one_maker(making_);
  if (auto found = find(volume.get(), window)) return found;
  const auto grey_map = image::resolve_window(*volume, image::parse_window(window));
  int64_t set = 0;
  {
    const std::lock_guard lock(mutex_);
    set = sets_++;
  }
  std::shared_ptr<ImageFeatures> made(
      new ImageFeatures(shared_from_this(), volume, window, grey_map, set));
  const std::lock_guard lock(mutex_);
  open_.push_back(made);
  return made;
}

int64_t FeaturePool::slices() const {
  const std::lock_guard lock(mutex_);
  return store_.slices();
}

int64_t FeaturePool::spilled_slices() const {
  const std::lock_guard lock(mutex_);
  return store_.spilled_slices();
}

int64_t FeaturePool::resident_bytes() const {
  const std::lock_guard lock(mutex_);
  return store_.resident_bytes();
}

}  // namespace voxloom::infer_ml
