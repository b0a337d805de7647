#include "voxloom/serve/log/file.h"

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <string>
#include <thread>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "voxloom/core/error.h"
#include "voxloom/core/log.h"

namespace voxloom::serve {
namespace {

namespace fs = std::filesystem;

/// Set by publishers, waited for by the writer; owned by both.
struct Wake {
  void set(bool end) {
    {
      const std::lock_guard lock(mutex);
      ready = true;
      ending = ending || end;
    }
    changed.notify_one();
  }
  /// Returns false once the end is asked for.
  bool wait() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return ready; });
    ready = false;
    return !ending;
  }
  std::mutex mutex;
  std::condition_variable changed;
  bool ready = false, ending = false;
};

}  // namespace

struct LogFile::Impl {
  explicit Impl(Options given) : options(std::move(given)) {}
  ~Impl() {
    if (fd >= 0) ::close(fd);
  }

  [[nodiscard]] fs::path name(int number) const {
    return options.folder /
           (number == 0 ? "voxloom.log" : "voxloom." + std::to_string(number) + ".log");
  }

  bool open() {
    fd = ::open(name(0).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct stat info {};
    size = fd >= 0 && ::fstat(fd, &info) == 0 ? static_cast<uint64_t>(info.st_size) : 0;
    return fd >= 0;
  }

  void rotate() {
    ::close(fd);
    fd = -1;
    std::error_code ignored;
    fs::remove(name(options.max_files - 1), ignored);
    for (int i = options.max_files - 2; i >= 0; --i) fs::rename(name(i), name(i + 1), ignored);
  }

  /// All of `text` or, as far as the disk lets, nothing of it.
  bool append(std::string_view text) {
    if (fd >= 0 && size > 0 && size + text.size() > options.max_bytes) rotate();
    if (fd < 0 && !open()) return false;
    size_t done = 0;
    while (done < text.size()) {
      const ssize_t written = ::write(fd, text.data() + done, text.size() - done);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) {
        // Takes back the half line, so that what follows can be read.
        if (done > 0 && ::ftruncate(fd, static_cast<off_t>(size)) != 0) size += done;
        return false;
      }
      done += static_cast<size_t>(written);
    }
    size += done;
    return true;
  }

  void write_lines(const std::vector<LogSubscription::Line>& lines) {
    std::string text;
    if (untold > 0) {
      LogRecord record(LogLevel::kWarn, "lost", "lines could not be written to the log file");
      text = record.field("lines", untold).json_line(unix_now_ms(), 0) + "\n";
    }
    for (const auto& line : lines) (text += *line) += '\n';
    if (append(text)) {
      untold = 0;
    } else {
      untold += lines.size();
      lost += lines.size();
    }
  }

  void run() {
    bool go_on = true;
    while (go_on) {
      go_on = wake->wait();
      try {
        for (auto lines = subscription->take(size_t{256} << 10); !lines.empty();
             lines = subscription->take(size_t{256} << 10)) {
          write_lines(lines);
        }
      } catch (const std::exception&) {
        ++lost;  // no memory: the batch is gone, the thread goes on
      }
    }
  }

  Options options;
  int fd = -1;
  uint64_t size = 0, untold = 0;
  std::atomic<uint64_t> lost{0};
  std::shared_ptr<Wake> wake = std::make_shared<Wake>();
  std::unique_ptr<LogSubscription> subscription;
  std::thread thread;
};

LogFile::LogFile(LogHub& hub, Options options) : impl_(std::make_unique<Impl>(std::move(options))) {
  const auto& given = impl_->options;
  VOXLOOM_CHECK(given.max_files >= 1 && given.max_bytes >= 4096,
                ErrorCode::kInvalidArgument,
                "log folder: must keep at least 1 file of 4096 bytes, got {} of {}",
                given.max_files,
                given.max_bytes);
  std::error_code error;
  if (fs::create_directories(given.folder, error)) ::chmod(given.folder.c_str(), 0700);
  VOXLOOM_CHECK(impl_->open(),
                ErrorCode::kUnavailable,
                "log folder '{}': its file cannot be made: {}",
                given.folder.string(),
                std::strerror(errno));
  impl_->subscription = hub.subscribe({}, [wake = impl_->wake] { wake->set(false); });
  impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
}

LogFile::~LogFile() {
  impl_->wake->set(true);
  impl_->thread.join();
}

uint64_t LogFile::lost_lines() const {
  return impl_->lost + impl_->subscription->dropped();
}

std::filesystem::path LogFile::path() const {
  return impl_->name(0);
}

}  // namespace voxloom::serve
