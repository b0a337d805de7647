#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <unordered_map>
#include <vector>

#include <ATen/core/Tensor.h>

namespace voxloom::infer_ml {

/// The feature maps of one slice, high to low resolution; maps a network does not have are
/// undefined tensors.
using FeatureMaps = std::array<at::Tensor, 3>;

/// Feature maps of slices, encoded once and read by every pass, click and object.
///
/// The maps used last stay in memory within a budget; all others lie in an unlinked temporary file
/// ($TMPDIR, else /var/tmp) that is read and written, never mapped, so that resident memory stays
/// the same whatever the depth of the volume. Not thread-safe.
class FeatureStore {
 public:
  /// half: keep the maps as bfloat16 (a run in bf16 loses nothing that its encoder had).
  FeatureStore(int64_t budget_bytes, bool half);
  ~FeatureStore();
  FeatureStore(const FeatureStore&) = delete;
  FeatureStore& operator=(const FeatureStore&) = delete;

  [[nodiscard]] bool contains(int64_t z) const;
  /// All slices must have maps of the same shapes.
  /// Throws kUnavailable naming the folder when the spill file can't be written (disk full).
  void put(int64_t z, const FeatureMaps& maps);
  /// As float32. Throws kInternal when slice z was never put.
  [[nodiscard]] FeatureMaps get(int64_t z);

  [[nodiscard]] int64_t slices() const { return static_cast<int64_t>(entries_.size()); }
  [[nodiscard]] int64_t spilled_slices() const { return spilled_; }

 private:
  struct Entry {
    FeatureMaps maps;   ///< Undefined when only on disk.
    int64_t slot = -1;  ///< Place in the spill file, -1: not written yet.
    std::list<int64_t>::iterator recent;
  };

  void touch(int64_t z, Entry& entry);
  void make_room();
  void write(Entry& entry);
  void read(Entry& entry);
  void open_file();

  int64_t budget_bytes_;
  bool half_;
  int64_t slice_bytes_ = 0, resident_ = 0, spilled_ = 0;
  std::array<std::vector<int64_t>, 3> shapes_;
  std::unordered_map<int64_t, Entry> entries_;
  std::list<int64_t> recent_;  ///< Slices with maps in memory, last used first.
  int fd_ = -1;
};

}  // namespace voxloom::infer_ml
