#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/jobs/cohort.h"
#include "voxloom/jobs/uuid.h"

namespace voxloom::jobs {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kEnd = ".part";
constexpr size_t kTokenDigits = 32;

std::string start_of(const std::string& name) {
  return "." + name + ".";
}

/// ".NAME.<32 hexadecimal digits>.part"
bool is_temporary_of(const std::string& file_name, const std::string& name) {
  const std::string start = start_of(name);
  return file_name.size() == start.size() + kTokenDigits + kEnd.size() &&
         file_name.compare(0, start.size(), start) == 0 &&
         file_name.compare(start.size() + kTokenDigits, kEnd.size(), kEnd) == 0 &&
         file_name.find_first_not_of("0123456789abcdef", start.size()) ==
             start.size() + kTokenDigits;
}

void sync_path(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool synced = fd >= 0 && (::fsync(fd) == 0 || errno == EINVAL);
  const int error = errno;
  if (fd >= 0) ::close(fd);
  VOXLOOM_CHECK(synced,
                ErrorCode::kUnavailable,
                "output '{}': cannot be synced: {}",
                path.string(),
                std::strerror(error));
}

void sync_tree(const fs::path& path) {
  if (fs::is_directory(path)) {
    for (const auto& entry : fs::recursive_directory_iterator(path)) sync_path(entry.path());
  }
  sync_path(path);
}

/// Commands write into their files where their output lies ("label" of segment's side file): what
/// names the temporary folder must name the final one.
void correct_paths(const fs::path& file, const fs::path& from, const fs::path& to) {
  constexpr uintmax_t kMaxBytes = uintmax_t{16} << 20;
  if (file.extension() != ".json" || !fs::is_regular_file(fs::symlink_status(file)) ||
      fs::file_size(file) > kMaxBytes) {
    return;
  }
  // As JSON writes them, without the quotes.
  const auto quoted = [](const fs::path& path) {
    const std::string text = nlohmann::json(path.string()).dump();
    return text.substr(1, text.size() - 2) + "/";
  };
  const std::string wrong = quoted(from), right = quoted(to);
  std::string text = read_text_file(file);
  size_t at = text.find(wrong);
  if (at == std::string::npos) return;
  for (; at != std::string::npos; at = text.find(wrong, at + right.size())) {
    text.replace(at, wrong.size(), right);
  }
  AtomicFile corrected(file, Overwrite::kReplace);
  corrected.write(text);
  corrected.commit();
}

void move_into_place(const fs::path& from, const fs::path& to) {
  std::error_code error;
  // A folder can't replace a folder that holds something.
  if (fs::is_directory(fs::symlink_status(to, error))) fs::remove_all(to, error);
  fs::rename(from, to, error);
  VOXLOOM_CHECK(!error,
                ErrorCode::kUnavailable,
                "output '{}': cannot be renamed into place: {}",
                to.string(),
                error.message());
}

}  // namespace

CaseOutput::CaseOutput(const CohortCommand& command, std::string name)
    : output_(command.output(name)),
      folder_(command.output_dir / (start_of(name) + make_token() + std::string(kEnd))) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(command.output_dir, error)) {
    std::error_code ignored;  // another worker may be quicker
    if (is_temporary_of(entry.path().filename().string(), name)) {
      fs::remove_all(entry.path(), ignored);
    }
  }
  const bool made = fs::create_directory(folder_, error);
  VOXLOOM_CHECK(made,
                ErrorCode::kUnavailable,
                "output folder '{}': cannot be written to: {}",
                command.output_dir.string(),
                error.message());
}

CaseOutput::~CaseOutput() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

fs::path CaseOutput::temporary() const {
  return folder_ / output_.filename();
}

void CaseOutput::publish(bool replace) {
  if (published_) return;
  VOXLOOM_CHECK(fs::exists(temporary()),
                ErrorCode::kNotFound,
                "the command ended well but did not write its {{output}} ('{}')",
                output_.filename().string());
  if (!fs::exists(output_) || replace) {
    std::vector<fs::path> files, side_files;
    for (const auto& entry : fs::directory_iterator(folder_)) files.push_back(entry.path());
    for (const auto& file : files) {
      correct_paths(file, folder_, output_.parent_path());
      sync_tree(file);
      if (file != temporary()) side_files.push_back(file);
    }
    for (const auto& file : side_files) {
      move_into_place(file, output_.parent_path() / file.filename());
    }
    move_into_place(temporary(), output_);
    sync_path(output_.parent_path());
  }
  published_ = true;
}

}  // namespace voxloom::jobs
