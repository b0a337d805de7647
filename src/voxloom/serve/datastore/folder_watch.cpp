#include "voxloom/serve/datastore/folder_watch.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace voxloom::serve {
namespace {

constexpr uint32_t kMask = IN_CREATE | IN_CLOSE_WRITE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
                           IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_DONT_FOLLOW;

}  // namespace

FolderWatch::FolderWatch()
    : inotify_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)),
      wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}

FolderWatch::~FolderWatch() {
  if (inotify_ >= 0) ::close(inotify_);
  if (wake_ >= 0) ::close(wake_);
}

void FolderWatch::add(const std::vector<std::filesystem::path>& folders) {
  if (inotify_ < 0) return;
  const std::lock_guard lock(mutex_);
  for (const auto& folder : folders) {
    // For a folder that is watched already this gives the same number again.
    const int watch = ::inotify_add_watch(inotify_, folder.c_str(), kMask);
    if (watch >= 0) {
      folders_[watch] = folder;
    } else if (errno != ENOENT && errno != ENOTDIR) {
      complete_ = false;
    }
  }
}

FolderWatch::Waited FolderWatch::wait(std::chrono::milliseconds timeout) {
  std::array<pollfd, 2> fds{{{wake_, POLLIN, 0}, {inotify_, POLLIN, 0}}};
  const auto limit = std::clamp<int64_t>(timeout.count(), 0, 3'600'000);
  Waited out;
  if (::poll(fds.data(), inotify_ >= 0 ? 2 : 1, static_cast<int>(limit)) <= 0) return out;
  if ((fds[0].revents & POLLIN) != 0) {
    uint64_t count = 0;
    static_cast<void>(::read(wake_, &count, sizeof(count)));
  }
  if (inotify_ >= 0 && (fds[1].revents & POLLIN) != 0) read_events(out);
  return out;
}

void FolderWatch::read_events(Waited& out) {
  alignas(inotify_event) std::array<char, 16 * 1024> buffer;
  while (true) {
    const ssize_t got = ::read(inotify_, buffer.data(), buffer.size());
    if (got <= 0) return;
    const std::lock_guard lock(mutex_);
    for (ssize_t at = 0; at < got;) {
      inotify_event event{};
      std::memcpy(&event, buffer.data() + at, sizeof(event));
      const char* name = buffer.data() + at + static_cast<ssize_t>(sizeof(event));
      at += static_cast<ssize_t>(sizeof(event) + event.len);
      if ((event.mask & IN_Q_OVERFLOW) != 0) out.overflow = true;
      const auto it = folders_.find(event.wd);
      if (it == folders_.end()) continue;
      if ((event.mask & IN_IGNORED) != 0) {
        folders_.erase(it);
        continue;
      }
      const uint32_t kind = event.mask & IN_ALL_EVENTS;
      out.events.push_back({.folder = it->second,
                            .name = event.len > 0 ? std::string(name) : std::string(),
                            .is_folder = (event.mask & IN_ISDIR) != 0,
                            .only_created = kind == IN_CREATE});
      // A folder that moved away is no longer where its watch says.
      if (kind == IN_MOVE_SELF) {
        ::inotify_rm_watch(inotify_, event.wd);
        folders_.erase(it);
      }
    }
  }
}

void FolderWatch::wake() {
  const uint64_t one = 1;
  static_cast<void>(::write(wake_, &one, sizeof(one)));
}

bool is_network_disk(const std::filesystem::path& folder) {
  struct statfs s {};
  if (::statfs(folder.c_str(), &s) != 0) return false;
  constexpr std::array<uint32_t, 9> kNetwork{0x6969,       // NFS
                                             0x517b,       // SMB
                                             0xff534d42,   // CIFS
                                             0xfe534d42,   // SMB2
                                             0x65735546,   // FUSE (sshfs, ...)
                                             0x01021997,   // 9P
                                             0x00c36400,   // Ceph
                                             0x0bd00bd0,   // Lustre
                                             0x47504653};  // GPFS
  return std::find(kNetwork.begin(), kNetwork.end(), static_cast<uint32_t>(s.f_type)) !=
         kNetwork.end();
}

}  // namespace voxloom::serve
