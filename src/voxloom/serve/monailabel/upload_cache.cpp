#include "voxloom/serve/monailabel/upload_cache.h"

#include <algorithm>

#include "voxloom/core/error.h"
#include "voxloom/core/mapped_file.h"
#include "voxloom/core/sha256.h"
#include "voxloom/io/volume_io.h"

namespace voxloom::serve {

namespace fs = std::filesystem;

namespace {

/// Errors name the file; where the server keeps it is nobody's business.
std::shared_ptr<image::VolumeSource> open_upload(const fs::path& path) {
  try {
    return io::open_volume(path);
  } catch (const Error& e) {
    std::string words = e.what();
    const std::string& name = path.native();
    for (size_t at = words.find(name); at != std::string::npos; at = words.find(name, at)) {
      words.replace(at, name.size(), "upload");
    }
    throw Error(e.code(), words);
  }
}

}  // namespace

/// Lives on while a source that was opened from it does.
struct UploadCache::Held {
  std::string key;
  fs::path path;
  uint64_t bytes = 0;

  ~Held() {
    std::error_code ignored;
    if (!path.empty()) fs::remove(path, ignored);
  }
};

UploadCache::UploadCache(fs::path folder, uint64_t budget_bytes)
    : folder_(std::move(folder)), budget_bytes_(budget_bytes) {}

UploadCache::~UploadCache() = default;

UploadCache::Image UploadCache::keep(const fs::path& file, const std::string& suffix) {
  const auto made = std::make_shared<Held>();
  made->bytes = fs::file_size(file);
  made->key = "upload:" + sha256_hex(map_file(file).bytes) + suffix;
  std::shared_ptr<Held> held;
  {
    const std::lock_guard lock(mutex_);
    const auto known = std::find_if(
        held_.begin(), held_.end(), [&](const auto& entry) { return entry->key == made->key; });
    if (known != held_.end()) {
      held_.splice(held_.begin(), held_, known);
    } else {
      // Under a name with its suffix: some formats are told apart by it.
      const fs::path path = folder_ / (made->key.substr(7));
      fs::rename(file, path);
      made->path = path;
      held_.push_front(made);
    }
    held = held_.front();
    uint64_t total = 0;
    for (auto it = held_.begin(); it != held_.end();) {
      total += (*it)->bytes;
      it = it != held_.begin() && total > budget_bytes_ ? held_.erase(it) : std::next(it);
    }
  }
  return {held->key, [held] {
            std::shared_ptr<image::VolumeSource> source = open_upload(held->path);
            // The file outlives everything that reads it.
            return std::shared_ptr<image::VolumeSource>(source.get(),
                                                        [source, held](image::VolumeSource*) {});
          }};
}

}  // namespace voxloom::serve
