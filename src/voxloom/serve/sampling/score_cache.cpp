#include "voxloom/serve/sampling/score_cache.h"

#include <cerrno>
#include <string_view>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/log.h"

namespace voxloom::serve {
namespace {

constexpr size_t kLargestFile = size_t{256} << 20;

}  // namespace

ScoreCache::ScoreCache(std::filesystem::path file) : file_(std::move(file)) {
  std::error_code ignored;
  std::filesystem::create_directories(file_.parent_path(), ignored);
  load();
}

ScoreCache::~ScoreCache() {
  if (fd_ >= 0) ::close(fd_);
}

void ScoreCache::load() {
  std::string text;
  try {
    if (std::filesystem::exists(file_)) text = read_text_file(file_, kLargestFile);
  } catch (const std::exception&) {
    VOXLOOM_LOG_WARN("scores: the cache can't be read; scores are made again");
    rewrite();
    return;
  }
  size_t lines = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    ++lines;
    if (auto entry = parse_score_line(std::string_view(text).substr(at, end - at))) {
      entries_.insert_or_assign(entry->id, *entry);
    }
    at = end + 1;
  }
  if (lines > 2 * entries_.size() + 16) {
    rewrite();
  } else if (!text.empty() && text.back() != '\n') {
    append("");  // Ends a line that was cut short, so that the next one is whole.
  }
}

void ScoreCache::rewrite() {
  try {
    AtomicFile file(file_, Overwrite::kReplace);
    for (const auto& [id, entry] : entries_) file.write(score_line(entry) + "\n");
    file.commit();
  } catch (const std::exception&) {
    VOXLOOM_LOG_WARN("scores: the cache can't be written");
  }
}

void ScoreCache::append(const std::string& line) {
  if (fd_ < 0) {
    fd_ = ::open(file_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  }
  std::string text = line + "\n";
  // One write: lines of two servers on one folder don't mix.
  const bool good =
      fd_ >= 0 && ::write(fd_, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (!good && !warned_) {
    warned_ = true;
    VOXLOOM_LOG_WARN("scores: the cache can't be written; scores are kept in memory only");
  }
}

std::optional<ScoreEntry> ScoreCache::find(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return std::nullopt;
  return found->second;
}

void ScoreCache::put(const ScoreEntry& entry) {
  const std::lock_guard lock(mutex_);
  entries_.insert_or_assign(entry.id, entry);
  append(score_line(entry));
}

size_t ScoreCache::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace voxloom::serve
