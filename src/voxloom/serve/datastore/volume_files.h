#pragma once

#include <filesystem>
#include <mutex>
#include <string>

#include "voxloom/serve/datastore/datastore.h"

namespace voxloom::serve {

/// NIfTI files made of images that are folders: viewers and clients that load one file get one.
/// Made once, kept within a budget (the longest unused go first). Thread-safe.
class VolumeFiles {
 public:
  VolumeFiles(std::filesystem::path folder, uint64_t budget_bytes);

  /// FOLDER/<id>.nii.gz, written whole or not at all; made anew when the image's files changed.
  /// Throws what opening the image throws, kCancelled, kUnavailable (disk full).
  [[nodiscard]] std::filesystem::path file_of(Datastore& store,
                                              const std::string& id,
                                              const CancelToken& stop);

 private:
  void trim(const std::filesystem::path& keep) const;

  std::filesystem::path folder_;
  uint64_t budget_bytes_;
  std::mutex mutex_;
};

}  // namespace voxloom::serve
