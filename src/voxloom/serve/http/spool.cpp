#include "voxloom/serve/http/spool.h"

#include <algorithm>
#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "voxloom/core/error.h"
#include "voxloom/serve/http/multipart_writer.h"

namespace voxloom::serve::http {
namespace {

constexpr std::string_view kPrefix = "upload-";
constexpr uint64_t kWriteAhead = uint64_t{512} << 10;  ///< Bytes handed to the disk at a time.

/// From the first dot that begins a known double ending, else from the last dot.
std::string plain_ending(std::string_view filename) {
  size_t dot = filename.rfind('.');
  if (dot == std::string_view::npos) return "";
  if (filename.substr(dot) == ".gz" || filename.substr(dot) == ".nrrd") {
    const size_t before = dot == 0 ? std::string_view::npos : filename.rfind('.', dot - 1);
    if (before != std::string_view::npos) {
      const std::string_view both = filename.substr(before);
      if (both == ".nii.gz" || both == ".seg.nrrd") dot = before;
    }
  }
  const std::string_view ending = filename.substr(dot);
  const bool plain = ending.size() <= 16 && std::all_of(ending.begin(), ending.end(), [](char c) {
                       return c == '.' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                              (c >= 'A' && c <= 'Z');
                     });
  return plain ? std::string(ending) : "";
}

std::string reason() {
  return std::error_code(errno, std::generic_category()).message();
}

}  // namespace

void prepare_spool(const std::filesystem::path& folder) {
  std::error_code ec;
  std::filesystem::create_directories(folder, ec);
  VOXLOOM_CHECK(std::filesystem::is_directory(folder),
                ErrorCode::kUnavailable,
                "spool: the folder must be there or be makeable, got '{}'",
                ec.message());
  ::chmod(folder.c_str(), 0700);
  for (const auto& entry : std::filesystem::directory_iterator(folder, ec)) {
    if (!entry.path().filename().string().starts_with(kPrefix)) continue;
    std::error_code ignored;
    if (entry.is_regular_file(ignored)) std::filesystem::remove(entry.path(), ignored);
  }
}

SpoolFile::SpoolFile(const std::filesystem::path& folder, std::string_view filename, Fate fate)
    : fate_(fate),
      path_(folder / (std::string(kPrefix) + random_hex(24) + plain_ending(filename))),
      fd_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) {
  VOXLOOM_CHECK(fd_ >= 0,
                ErrorCode::kUnavailable,
                "spool: a file for the upload must be makeable, got '{}'",
                reason());
}

SpoolFile::~SpoolFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(path_.c_str());
}

void SpoolFile::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    VOXLOOM_CHECK(written > 0,
                  ErrorCode::kUnavailable,
                  "spool: the disk must take the upload, got '{}'",
                  reason());
    bytes_ += static_cast<uint64_t>(written);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  start_writing(bytes_ - bytes_ % kWriteAhead);  // A page that still fills is left alone.
}

/// The disk works while the rest arrives, so that a sync has little left to wait for.
void SpoolFile::start_writing(uint64_t end) {
  if (fate_ != Fate::kKept || end == on_their_way_) return;
  // Only a hint: whoever needs the file on the disk syncs it.
  static_cast<void>(::sync_file_range(fd_,
                                      static_cast<off64_t>(on_their_way_),
                                      static_cast<off64_t>(end - on_their_way_),
                                      SYNC_FILE_RANGE_WRITE));
  on_their_way_ = end;
}

std::filesystem::path SpoolFile::release() {
  start_writing(bytes_);
  ::close(fd_);
  fd_ = -1;
  return path_;
}

void remove_uploads(const std::vector<UploadedFile>& files) noexcept {
  for (const UploadedFile& file : files) ::unlink(file.path.c_str());
}

}  // namespace voxloom::serve::http
