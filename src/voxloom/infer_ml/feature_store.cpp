#include "voxloom/infer_ml/feature_store.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <limits>
#include <string>

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <torch/torch.h>

#include "voxloom/core/error.h"

namespace voxloom::infer_ml {
namespace {

std::string spill_folder() {
  if (const char* folder = ::getenv("TMPDIR"); folder != nullptr && *folder != '\0') return folder;
  // /tmp is often kept in memory, which is what the file is there to spare.
  return ::access("/var/tmp", W_OK) == 0 ? "/var/tmp" : "/tmp";
}

template <class Call>
void transfer_all(Call call, int64_t bytes, const char* what) {
  int64_t done = 0;
  while (done < bytes) {
    const ssize_t count = call(done);
    if (count < 0 && errno == EINTR) continue;
    VOXLOOM_CHECK(count > 0,
                  ErrorCode::kUnavailable,
                  "feature cache in '{}': cannot be {}: {}; free some space or set TMPDIR",
                  spill_folder(),
                  what,
                  count == 0 ? "unexpected end" : std::strerror(errno));
    done += count;
  }
}

}  // namespace

FeatureStore::FeatureStore(int64_t budget_bytes, bool half)
    : budget_bytes_(budget_bytes), half_(half) {}

FeatureStore::~FeatureStore() {
  if (fd_ >= 0) ::close(fd_);
}

bool FeatureStore::contains(const SliceKey& key) const {
  return entries_.count(key) != 0;
}

void FeatureStore::put(const SliceKey& key, const FeatureMaps& maps) {
  if (contains(key)) return;
  Entry entry;
  int64_t bytes = 0;
  for (size_t i = 0; i < maps.size(); ++i) {
    if (!maps[i].defined()) continue;
    entry.maps[i] = maps[i].detach().to(half_ ? at::kBFloat16 : at::kFloat).contiguous();
    // A view into a larger buffer would keep all of that alive.
    if (entry.maps[i].data_ptr() == maps[i].data_ptr()) entry.maps[i] = entry.maps[i].clone();
    bytes += static_cast<int64_t>(entry.maps[i].nbytes());
    if (slice_bytes_ == 0) shapes_[i] = entry.maps[i].sizes().vec();
    VOXLOOM_CHECK(entry.maps[i].sizes() == at::IntArrayRef(shapes_[i]),
                  ErrorCode::kInternal,
                  "feature cache: slice {} has maps of another shape",
                  key.z);
  }
  slice_bytes_ = bytes;
  recent_.push_front(key);
  entry.recent = recent_.begin();
  ++resident_;
  entries_.emplace(key, std::move(entry));
  make_room();
}

FeatureMaps FeatureStore::get(const SliceKey& key) {
  const auto found = entries_.find(key);
  VOXLOOM_CHECK(found != entries_.end(),
                ErrorCode::kInternal,
                "feature cache: slice {} was not encoded",
                key.z);
  Entry& entry = found->second;
  touch(key, entry);
  FeatureMaps maps = entry.maps;
  for (auto& map : maps) {
    if (map.defined()) map = map.to(at::kFloat);
  }
  make_room();
  return maps;
}

void FeatureStore::erase_set(int64_t set) {
  auto entry = entries_.lower_bound({set, std::numeric_limits<int64_t>::min()});
  while (entry != entries_.end() && entry->first.set == set) {
    if (in_memory(entry->second)) {
      recent_.erase(entry->second.recent);
      --resident_;
    }
    if (entry->second.slot >= 0) free_slots_.push_back(entry->second.slot);
    entry = entries_.erase(entry);
  }
  if (slots_ == 0 || spilled_slices() > 0) return;
  // A failure only leaves the space taken until slots are written again.
  static_cast<void>(::ftruncate(fd_, 0) == 0);
  slots_ = 0;
  free_slots_.clear();
}

bool FeatureStore::in_memory(const Entry& entry) {
  return std::any_of(
      entry.maps.begin(), entry.maps.end(), [](const auto& m) { return m.defined(); });
}

void FeatureStore::touch(const SliceKey& key, Entry& entry) {
  if (in_memory(entry)) {
    recent_.splice(recent_.begin(), recent_, entry.recent);
    return;
  }
  read(entry);
  recent_.push_front(key);
  entry.recent = recent_.begin();
  ++resident_;
}

void FeatureStore::make_room() {
  // The slice just used always stays.
  while (resident_ > 1 && resident_ * slice_bytes_ > budget_bytes_) {
    Entry& oldest = entries_.at(recent_.back());
    if (oldest.slot < 0) write(oldest);
    oldest.maps = {};
    recent_.pop_back();
    --resident_;
  }
}

void FeatureStore::open_file() {
  if (fd_ >= 0) return;
  const std::string folder = spill_folder();
  fd_ = ::open(folder.c_str(), O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
  if (fd_ < 0) {  // file systems without O_TMPFILE
    std::string name = folder + "/voxloom-features-XXXXXX";
    fd_ = ::mkostemp(name.data(), O_CLOEXEC);
    if (fd_ >= 0) ::unlink(name.c_str());
  }
  VOXLOOM_CHECK(fd_ >= 0,
                ErrorCode::kUnavailable,
                "feature cache: no file can be made in '{}': {}; set TMPDIR to a writable folder",
                folder,
                std::strerror(errno));
}

void FeatureStore::write(Entry& entry) {
  open_file();
  const int64_t slot = free_slots_.empty() ? slots_ : free_slots_.back();
  int64_t offset = slot * slice_bytes_;
  for (const auto& map : entry.maps) {
    if (!map.defined()) continue;
    const auto bytes = static_cast<int64_t>(map.nbytes());
    const auto* data = static_cast<const char*>(map.data_ptr());
    transfer_all(
        [&](int64_t done) {
          return ::pwrite(fd_, data + done, static_cast<size_t>(bytes - done), offset + done);
        },
        bytes,
        "written");
    offset += bytes;
  }
  entry.slot = slot;
  if (free_slots_.empty()) {
    ++slots_;
  } else {
    free_slots_.pop_back();
  }
}

void FeatureStore::read(Entry& entry) {
  int64_t offset = entry.slot * slice_bytes_;
  for (size_t i = 0; i < entry.maps.size(); ++i) {
    if (shapes_[i].empty()) continue;
    entry.maps[i] = at::empty(shapes_[i], half_ ? at::kBFloat16 : at::kFloat);
    const auto bytes = static_cast<int64_t>(entry.maps[i].nbytes());
    auto* data = static_cast<char*>(entry.maps[i].data_ptr());
    transfer_all(
        [&](int64_t done) {
          return ::pread(fd_, data + done, static_cast<size_t>(bytes - done), offset + done);
        },
        bytes,
        "read");
    offset += bytes;
  }
}

}  // namespace voxloom::infer_ml
