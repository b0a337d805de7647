#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <list>
#include <map>
#include <vector>

#include <ATen/core/Tensor.h>

namespace voxloom::infer_ml {

/// The feature maps of one slice, high to low resolution; maps a network does not have are
/// undefined tensors.
using FeatureMaps = std::array<at::Tensor, 3>;

/// A slice of one image under one window: `set` stands for the two.
struct SliceKey {
  int64_t set = 0, z = 0;
  auto operator<=>(const SliceKey&) const = default;
};

/// Feature maps of slices of any number of images, all made by one network.
///
/// The maps used last stay in memory within a budget over all images; all others lie in an unlinked
/// temporary file ($TMPDIR, else /var/tmp) that is read and written, never mapped, so that resident
/// memory stays the same whatever the depth and number of the volumes. Not thread-safe.
class FeatureStore {
 public:
  /// half: keep the maps as bfloat16 (a run in bf16 loses nothing that its encoder had).
  FeatureStore(int64_t budget_bytes, bool half);
  ~FeatureStore();
  FeatureStore(const FeatureStore&) = delete;
  FeatureStore& operator=(const FeatureStore&) = delete;

  [[nodiscard]] bool contains(const SliceKey& key) const;
  /// All slices must have maps of the same shapes.
  /// Throws kUnavailable naming the folder when the spill file can't be written (disk full).
  void put(const SliceKey& key, const FeatureMaps& maps);
  /// As float32. Throws kInternal when the slice was never put.
  [[nodiscard]] FeatureMaps get(const SliceKey& key);
  /// Drops all slices of a set. Their places in the file are used again; an unused file is emptied.
  void erase_set(int64_t set);

  [[nodiscard]] int64_t slices() const { return static_cast<int64_t>(entries_.size()); }
  [[nodiscard]] int64_t spilled_slices() const {  ///< Slices that lie in the file.
    return slots_ - static_cast<int64_t>(free_slots_.size());
  }
  [[nodiscard]] int64_t resident_bytes() const { return resident_ * slice_bytes_; }
  [[nodiscard]] int64_t file_bytes() const { return slots_ * slice_bytes_; }

 private:
  struct Entry {
    FeatureMaps maps;   ///< Undefined when only on disk.
    int64_t slot = -1;  ///< Place in the spill file, -1: not written yet.
    std::list<SliceKey>::iterator recent;
  };

  static bool in_memory(const Entry& entry);
  void touch(const SliceKey& key, Entry& entry);
  void make_room();
  void write(Entry& entry);
  void read(Entry& entry);
  void open_file();

  int64_t budget_bytes_;
  bool half_;
  int64_t slice_bytes_ = 0, resident_ = 0;
  int64_t slots_ = 0;                ///< Places of the file, used or free.
  std::vector<int64_t> free_slots_;  ///< Left by erased slices.
  std::array<std::vector<int64_t>, 3> shapes_;
  std::map<SliceKey, Entry> entries_;
  std::list<SliceKey> recent_;  ///< Slices with maps in memory, last used first.
  int fd_ = -1;
};

}  // namespace voxloom::infer_ml
