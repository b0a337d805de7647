#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace voxloom::serve {

/// Tells when files appear, change or go in a set of folders (inotify). Where that can't be had
/// (no such call, too many folders, a network disk whose other users it doesn't see) complete()
/// is false, and the caller has to look for itself now and then.
/// One thread waits; the rest may be called from any.
class FolderWatch {
 public:
  struct Event {
    std::filesystem::path folder;
    std::string name;  ///< Empty: the folder itself went.
    bool is_folder = false;
    bool only_created = false;  ///< A file was made, perhaps still being written.
  };

  FolderWatch();
  ~FolderWatch();
  FolderWatch(const FolderWatch&) = delete;
  FolderWatch& operator=(const FolderWatch&) = delete;

  /// Watches these folders too; those that are watched already stay.
  void add(const std::vector<std::filesystem::path>& folders);
  [[nodiscard]] bool complete() const { return inotify_ >= 0 && complete_; }

  struct Waited {
    std::vector<Event> events;
    bool overflow = false;  ///< Events were lost: look at everything.
  };
  /// Until something happens, wake() is called or the time is over.
  [[nodiscard]] Waited wait(std::chrono::milliseconds timeout);
  void wake();

 private:
  void read_events(Waited& out);

  int inotify_ = -1, wake_ = -1;
  std::atomic<bool> complete_{true};
  std::mutex mutex_;
  std::map<int, std::filesystem::path> folders_;
};

/// Whether a folder lies on a disk that other machines can change unseen.
[[nodiscard]] bool is_network_disk(const std::filesystem::path& folder);

}  // namespace voxloom::serve
