#include "voxloom/dataset/unseal_log.h"

#include <cerrno>
#include <cstring>
#include <ctime>
#include <string>

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "voxloom/core/error.h"

namespace voxloom::dataset {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

bool ends_a_line(int fd) {
  const off_t end = ::lseek(fd, 0, SEEK_END);
  char last = '\n';
  return end <= 0 || (::pread(fd, &last, 1, end - 1) == 1 && last == '\n');
}

}  // namespace

void append_unsealing(const std::filesystem::path& log, const nlohmann::ordered_json& entry) {
  nlohmann::ordered_json line{{"time", utc_now()}};
  line.update(entry);
  const Descriptor file(
      ::open(log.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
  const auto check = [&](bool good) {
    VOXLOOM_CHECK(good,
                  ErrorCode::kUnavailable,
                  "log of unsealing '{}': must be writable, got: {}",
                  log.string(),
                  std::strerror(errno));
  };
  check(file.get() >= 0);
  const std::string text = (ends_a_line(file.get()) ? "" : "\n") + line.dump() + "\n";
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t written = ::write(file.get(), text.data() + done, text.size() - done);
    if (written < 0 && errno == EINTR) continue;
    check(written > 0);
    done += static_cast<size_t>(written);
  }
  check(::fsync(file.get()) == 0);
  // The name of a new file has to reach the disk too; some file systems don't allow it.
  const auto parent = log.has_parent_path() ? log.parent_path() : std::filesystem::path(".");
  const Descriptor folder(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() >= 0) ::fsync(folder.get());
}

}  // namespace voxloom::dataset
