#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "voxloom/core/cancel.h"
#include "voxloom/core/progress.h"
#include "voxloom/dataset/labelled_volumes.h"
#include "voxloom/image/volume.h"

namespace voxloom::recipes::segment {

/// Where one object of a case is.
struct ObjectSlices {
  uint16_t value = 0;             ///< In the label map.
  std::vector<uint8_t> on_slice;  ///< [D]: 1 where it has voxels.
};

/// A case without its voxels.
struct CaseIndex {
  std::string id;
  image::Index3 size{0, 0, 0};
  std::vector<ObjectSlices> objects;  ///< By value; none: the label map is empty.
};

/// A case in memory: the windowed image in 8 bits, and the label map.
struct CaseVoxels {
  std::shared_ptr<image::VolumeSource> grey;  ///< Reads are serialised by whoever holds it.
  image::LabelVolume labels;
};

/// Labelled volumes for training. The index stays in memory; voxels are read when they are asked
/// for and kept within a budget, the longest unused go first. Thread-safe.
class CaseStore {
 public:
  /// Reads every case once. Throws what reading throws, kDataCorrupt for a label map of another
  /// size than its image.
  CaseStore(std::vector<dataset::LabelledVolume> volumes,
            std::string window,
            int64_t cache_bytes,
            Progress& progress,
            const CancelToken& stop);

  [[nodiscard]] const std::vector<CaseIndex>& index() const { return index_; }
  [[nodiscard]] std::shared_ptr<const CaseVoxels> load(size_t item);
  /// SHA-256 over all names, grey values and labels.
  [[nodiscard]] const std::string& fingerprint() const { return fingerprint_; }

 private:
  struct Held {
    size_t item = 0;
    int64_t bytes = 0;
    std::shared_ptr<const CaseVoxels> voxels;
  };
  [[nodiscard]] std::shared_ptr<const CaseVoxels> read(size_t item) const;
  void keep(size_t item, const std::shared_ptr<const CaseVoxels>& voxels);

  std::vector<dataset::LabelledVolume> volumes_;
  std::string window_, fingerprint_;
  int64_t cache_bytes_;
  std::vector<CaseIndex> index_;
  std::mutex mutex_;
  std::list<Held> held_;  ///< The last used first.
  int64_t held_bytes_ = 0;
};

}  // namespace voxloom::recipes::segment
