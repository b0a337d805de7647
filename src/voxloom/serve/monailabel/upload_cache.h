#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>

#include "voxloom/image/volume.h"

namespace voxloom::serve {

/// Images that clients send along with a request (MITK does, with every click), kept for the
/// clicks that follow. Within a budget of bytes; those unused for longest go first, the last one
/// stays. Thread-safe. All files go away with the object.
class UploadCache {
 public:
  UploadCache(std::filesystem::path folder, uint64_t budget_bytes);
  ~UploadCache();
  UploadCache(const UploadCache&) = delete;
  UploadCache& operator=(const UploadCache&) = delete;

  struct Image {
    std::string key;  ///< "upload:<sha256 of the bytes>"
    std::function<std::shared_ptr<image::VolumeSource>()> open;
  };
  /// Takes the file over, unless the same bytes are there already. `suffix` tells its format.
  [[nodiscard]] Image keep(const std::filesystem::path& file, const std::string& suffix);

 private:
  struct Held;
  std::filesystem::path folder_;
  uint64_t budget_bytes_;
  std::mutex mutex_;
  std::list<std::shared_ptr<Held>> held_;  ///< Last used first.
};

}  // namespace voxloom::serve
