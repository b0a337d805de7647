#include "voxloom/serve/datastore/fetch_cache.h"

#include <cerrno>
#include <charconv>
#include <csignal>
#include <string_view>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

#include "voxloom/core/error.h"

namespace voxloom::serve {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kTemporary = ".fetch-";

struct Size {
  uint64_t bytes = 0, files = 0;
};

Size size_of(const fs::path& path) {
  std::error_code ignored;
  if (fs::is_regular_file(path, ignored)) return {fs::file_size(path, ignored), 1};
  Size sum;
  for (const auto& entry : fs::recursive_directory_iterator(path, ignored)) {
    if (!entry.is_regular_file(ignored)) continue;
    sum.bytes += entry.file_size(ignored);
    ++sum.files;
  }
  return sum;
}

// ".fetch-<process>-<number>-<name>": left behind when that process is gone.
bool is_left_behind(std::string_view name) {
  if (!name.starts_with(kTemporary)) return false;
  int process = 0;
  const char* begin = name.data() + kTemporary.size();
  std::from_chars(begin, name.data() + name.size(), process);
  return process == ::getpid() || process <= 0 || (::kill(process, 0) != 0 && errno == ESRCH);
}

// Everything written so far reaches the disk before the entry gets its name, so that after a power
// cut it is whole too. One call instead of one for each of a thousand slices.
void sync_below(const fs::path& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  ::syncfs(fd);
  ::close(fd);
}

}  // namespace

FetchCache::FetchCache(Options options) : options_(std::move(options)) {
  std::error_code error;
  fs::create_directories(options_.folder, error);
  VOXLOOM_CHECK(!error && fs::is_directory(options_.folder),
                ErrorCode::kUnavailable,
                "cache '{}': the folder can't be made: {}",
                options_.folder.string(),
                error.message());
  fs::permissions(options_.folder, fs::perms::owner_all, error);
  scan();
}

void FetchCache::scan() {
  for (const auto& entry : fs::directory_iterator(options_.folder)) {
    const std::string name = entry.path().filename().string();
    std::error_code ignored;
    if (is_left_behind(name)) {
      fs::remove_all(entry.path(), ignored);
    } else if (!name.starts_with('.')) {
      Entry& e = entries_[name];
      const Size size = size_of(entry.path());
      e.bytes = size.bytes;
      e.version = size.files;
      e.used = entry.last_write_time(ignored);
      total_ += e.bytes;
    }
  }
}

bool FetchCache::contains(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  return entries_.contains(name);
}

uint64_t FetchCache::bytes() const {
  const std::lock_guard lock(mutex_);
  return total_;
}

void FetchCache::hand_out(const std::string& name, Entry& entry) {
  entry.used = fs::file_time_type::clock::now();
  entry.handed_out = std::chrono::steady_clock::now();
  entry.this_run = true;
  std::error_code ignored;
  fs::last_write_time(options_.folder / name, entry.used, ignored);
}

fs::path FetchCache::get(const std::string& name,
                         uint64_t version,
                         const CancelToken& stop,
                         const Fetch& fetch) {
  const fs::path path = options_.folder / name;
  fs::path temporary;
  {
    std::unique_lock lock(mutex_);
    while (true) {
      stop.check();
      const auto found = entries_.find(name);
      if (found != entries_.end()) {
        Entry& e = found->second;
        std::error_code ignored;
        if ((version == 0 || e.version == version) && fs::exists(path, ignored)) {
          hand_out(name, e);
          return path;
        }
      }
      if (fetching_.insert(name).second) break;
      // Whoever fetches tells; a cancelled caller looks up now and then.
      changed_.wait_for(lock, std::chrono::milliseconds(50));
    }
    temporary = temporary_name(name);
  }
  const auto done = [&] {
    fetching_.erase(name);
    changed_.notify_all();
  };
  try {
    fetch(temporary);
    sync_below(temporary);
    const uint64_t bytes = size_of(temporary).bytes;
    std::vector<fs::path> doomed;
    {
      const std::lock_guard lock(mutex_);
      if (entries_.contains(name)) doomed.push_back(set_aside(name));
      fs::rename(temporary, path);
      Entry& e = entries_[name];
      e.bytes = bytes;
      e.version = version;
      total_ += bytes;
      hand_out(name, e);
      for (fs::path& p : make_room()) doomed.push_back(std::move(p));
      done();
    }
    std::error_code ignored;
    for (const fs::path& p : doomed) fs::remove_all(p, ignored);
    return path;
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(temporary, ignored);
    const std::lock_guard lock(mutex_);
    done();
    throw;
  }
}

fs::path FetchCache::temporary_name(const std::string& name) {
  return options_.folder / (std::string(kTemporary) + std::to_string(::getpid()) + "-" +
                            std::to_string(++counter_) + "-" + name);
}

// Takes an entry out by renaming it: removing a folder takes time, and a half-removed one must not
// look whole after a crash.
fs::path FetchCache::set_aside(const std::string& name) {
  const fs::path aside = temporary_name(name);
  std::error_code ignored;
  fs::rename(options_.folder / name, aside, ignored);
  total_ -= entries_.at(name).bytes;
  entries_.erase(name);
  return aside;
}

std::vector<fs::path> FetchCache::make_room() {
  const auto now = std::chrono::steady_clock::now();
  std::vector<fs::path> doomed;
  while (total_ > options_.max_bytes) {
    auto oldest = entries_.end();
    for (auto it = entries_.begin(); it != entries_.end(); ++it) {
      const Entry& e = it->second;
      if (e.this_run && now - e.handed_out < options_.keep_recent) continue;
      if (oldest == entries_.end() || e.used < oldest->second.used) oldest = it;
    }
    if (oldest == entries_.end()) break;
    doomed.push_back(set_aside(std::string(oldest->first)));
  }
  return doomed;
}

}  // namespace voxloom::serve
