#include "voxloom/serve/datastore/volume_files.h"

#include <algorithm>
#include <vector>

#include "voxloom/core/sha256.h"
#include "voxloom/io/volume_writer.h"
#include "voxloom/serve/datastore/open_image.h"
#include "voxloom/serve/sampling/prompt_choice.h"

namespace voxloom::serve {

namespace fs = std::filesystem;

VolumeFiles::VolumeFiles(fs::path folder, uint64_t budget_bytes)
    : folder_(std::move(folder)), budget_bytes_(budget_bytes) {
  fs::create_directories(folder_);
}

fs::path VolumeFiles::file_of(Datastore& store, const std::string& id, const CancelToken& stop) {
  // One sub-folder a state of the source, so that a series that grew is made anew.
  const std::string state = file_stamp(store.image_path(id, stop));
  const fs::path place = folder_ / sha256_hex(id + "|" + state).substr(0, 16);
  const fs::path path = place / (id + ".nii.gz");
  const std::lock_guard lock(mutex_);
  std::error_code error;
  if (fs::is_regular_file(path, error)) {
    fs::last_write_time(path, fs::file_time_type::clock::now(), error);
    return path;
  }
  const auto source = open_image(store, id, stop);
  fs::create_directories(place);
  io::VolumeWriter writer(
      source->geometry(), source->type(), path, Overwrite::kReplace, {.compression_level = 1});
  for (int64_t z = 0; z < source->geometry().size[2]; ++z) {
    stop.check();
    writer.write(source->read_slab(z, z + 1));
  }
  writer.commit();
  trim(path);
  return path;
}

void VolumeFiles::trim(const fs::path& keep) const {
  struct Entry {
    fs::path path;
    fs::file_time_type used;
    uint64_t bytes;
  };
  std::vector<Entry> entries;
  uint64_t total = 0;
  for (const auto& item : fs::recursive_directory_iterator(folder_)) {
    if (!item.is_regular_file()) continue;
    entries.push_back({item.path(), item.last_write_time(), item.file_size()});
    total += entries.back().bytes;
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return a.used < b.used;
  });
  for (const Entry& entry : entries) {
    if (total <= budget_bytes_) break;
    if (entry.path == keep) continue;
    std::error_code ignored;
    fs::remove_all(entry.path.parent_path(), ignored);
    total -= entry.bytes;
  }
}

}  // namespace voxloom::serve
