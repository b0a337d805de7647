#include "voxloom/engine/file_cache.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <vector>

#include "voxloom/core/error.h"
#include "voxloom/core/log.h"

namespace voxloom::engine {

namespace {

namespace fs = std::filesystem;

// A temporary file this old was left behind by a process that was killed.
constexpr auto kAbandonedAfter = std::chrono::hours(24);

}  // namespace

fs::path FileCache::default_folder() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache == '/') return fs::path(cache) / "voxloom" / "networks";
  const char* home = std::getenv("HOME");
  if (home != nullptr && *home == '/') return fs::path(home) / ".cache" / "voxloom" / "networks";
  return {};
}

FileCache::FileCache(fs::path folder, uint64_t budget_bytes)
    : folder_(std::move(folder)), budget_bytes_(budget_bytes) {}

std::optional<fs::path> FileCache::find(const std::string& name) const {
  if (folder_.empty()) return std::nullopt;
  const fs::path path = folder_ / name;
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return std::nullopt;
  fs::last_write_time(path, fs::file_time_type::clock::now(), error);
  return path;
}

std::optional<fs::path> FileCache::store(
    const std::string& name, const std::function<void(const fs::path& path)>& write) const {
  if (folder_.empty()) return std::nullopt;
  const fs::path path = folder_ / name;
  try {
    std::error_code error;
    fs::create_directories(folder_, error);
    write(path);
  } catch (const Error& e) {
    VOXLOOM_LOG_DEBUG("network cache: '{}' was not kept: {}", name, e.what());
    return std::nullopt;
  }
  trim(name);
  return path;
}

void FileCache::remove(const std::string& name) const {
  std::error_code error;
  if (!folder_.empty()) fs::remove(folder_ / name, error);
}

void FileCache::trim(const std::string& keep) const {
  struct Item {
    fs::path path;
    fs::file_time_type used;
    uint64_t bytes;
  };
  std::vector<Item> items;
  uint64_t total = 0;
  std::error_code error;
  const auto now = fs::file_time_type::clock::now();
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_, error)) {
    // Another process may remove files meanwhile: whatever fails here is gone already.
    if (!entry.is_regular_file(error)) continue;
    const auto used = entry.last_write_time(error);
    const uint64_t bytes = error ? 0 : entry.file_size(error);
    if (error) continue;
    const std::string name = entry.path().filename().string();
    if (name.starts_with(".")) {
      if (now - used > kAbandonedAfter) fs::remove(entry.path(), error);
      continue;
    }
    total += bytes;
    if (name != keep) items.push_back({entry.path(), used, bytes});
  }
  std::sort(
      items.begin(), items.end(), [](const Item& a, const Item& b) { return a.used < b.used; });
  for (const Item& item : items) {
    if (total <= budget_bytes_) break;
    fs::remove(item.path, error);
    total -= item.bytes;
  }
}

}  // namespace voxloom::engine
