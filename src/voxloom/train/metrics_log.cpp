#include "voxloom/train/metrics_log.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"

namespace voxloom::train {

MetricsLog::MetricsLog(const std::filesystem::path& path) : path_(path) {
  fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  VOXLOOM_CHECK(fd_ >= 0,
                ErrorCode::kUnavailable,
                "metrics '{}': cannot be opened: {}",
                path.string(),
                std::strerror(errno));
}

MetricsLog::~MetricsLog() {
  ::close(fd_);
}

void MetricsLog::append(const nlohmann::ordered_json& line) {
  const std::string text = line.dump() + "\n";
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t written = ::write(fd_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    VOXLOOM_CHECK(written > 0,
                  ErrorCode::kUnavailable,
                  "metrics '{}': cannot be written: {}",
                  path_.string(),
                  std::strerror(errno));
    rest.remove_prefix(static_cast<size_t>(written));
  }
}

int64_t MetricsLog::sync() {
  struct stat status {};
  VOXLOOM_CHECK(::fsync(fd_) == 0 && ::fstat(fd_, &status) == 0,
                ErrorCode::kUnavailable,
                "metrics '{}': cannot be synced: {}",
                path_.string(),
                std::strerror(errno));
  return status.st_size;
}

void MetricsLog::truncate(int64_t size) {
  struct stat status {};
  VOXLOOM_CHECK(::fstat(fd_, &status) == 0 && status.st_size >= size,
                ErrorCode::kDataCorrupt,
                "metrics '{}': must hold the {} bytes of the checkpoint, got {}",
                path_.string(),
                size,
                static_cast<int64_t>(status.st_size));
  VOXLOOM_CHECK(::ftruncate(fd_, size) == 0,
                ErrorCode::kUnavailable,
                "metrics '{}': cannot be cut: {}",
                path_.string(),
                std::strerror(errno));
}

std::vector<nlohmann::ordered_json> read_metrics(const std::filesystem::path& path) {
  const std::string text = read_text_file(path, size_t{1} << 30);
  std::vector<nlohmann::ordered_json> lines;
  size_t begin = 0;
  for (size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
    auto line = nlohmann::ordered_json::parse(text.begin() + static_cast<std::ptrdiff_t>(begin),
                                              text.begin() + static_cast<std::ptrdiff_t>(end),
                                              nullptr,
                                              /*allow_exceptions=*/false);
    if (line.is_object()) lines.push_back(std::move(line));
    begin = end + 1;
  }
  return lines;
}

}  // namespace voxloom::train
