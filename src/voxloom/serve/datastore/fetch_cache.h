#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "voxloom/core/cancel.h"

namespace voxloom::serve {

/// A folder of files and folders that can be fetched again: each appears whole or not at all, one
/// caller fetches while others wait for it, and the longest unused ones go when all together take
/// too much. Order of use survives a restart (it is the time stamp of the entry). Thread-safe.
class FetchCache {
 public:
  struct Options {
    std::filesystem::path folder;  ///< Made if absent, for this user only: it holds patients' data.
    uint64_t max_bytes = uint64_t{20} << 30;
    /// An entry handed out this recently is kept, whatever the size: somebody reads it.
    std::chrono::seconds keep_recent{600};
  };

  explicit FetchCache(Options options);

  /// Fills the path that it is given: a file with the entry's suffix, or a folder.
  using Fetch = std::function<void(const std::filesystem::path& temporary)>;

  /// The entry's path; fetched where it is absent, or where it is there in another `version` than
  /// asked for (0: any is right). An entry of an earlier run has the number of its files for one.
  /// Throws what `fetch` throws, and kCancelled.
  std::filesystem::path get(const std::string& name,
                            uint64_t version,
                            const CancelToken& stop,
                            const Fetch& fetch);

  [[nodiscard]] bool contains(const std::string& name) const;
  [[nodiscard]] uint64_t bytes() const;

 private:
  struct Entry {
    uint64_t bytes = 0, version = 0;
    std::filesystem::file_time_type used;  // Of an earlier run too.
    std::chrono::steady_clock::time_point handed_out;
    bool this_run = false;
  };
  void scan();
  void hand_out(const std::string& name, Entry& entry);
  std::filesystem::path temporary_name(const std::string& name);
  std::filesystem::path set_aside(const std::string& name);
  std::vector<std::filesystem::path> make_room();

  Options options_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Entry> entries_;
  std::set<std::string> fetching_;
  uint64_t total_ = 0, counter_ = 0;
};

}  // namespace voxloom::serve
