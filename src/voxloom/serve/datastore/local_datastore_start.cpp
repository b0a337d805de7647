// How LocalDatastore starts: index, then journals, then what the files say.
#include <algorithm>
#include <charconv>
#include <ctime>
#include <system_error>
#include <utility>

#include <unistd.h>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/core/log.h"
#include "voxloom/serve/datastore/file_name.h"
#include "voxloom/serve/datastore/local_datastore.h"

namespace voxloom::serve {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kJournalPrefix = "journal-";
constexpr size_t kMaxIndexBytes = size_t{256} << 20;
constexpr size_t kMaxJournalBytes = size_t{1} << 30;

/// The journals of a folder by number.
std::map<uint64_t, fs::path> journals_in(const fs::path& folder) {
  std::map<uint64_t, fs::path> out;
  std::error_code failure;
  for (fs::directory_iterator it(folder, failure), end; !failure && it != end;
       it.increment(failure)) {
    const std::string name = it->path().filename().string();
    if (!name.starts_with(kJournalPrefix)) continue;
    uint64_t number = 0;
    const char* last = name.data() + name.size();
    const auto [end_of_number, error] =
        std::from_chars(name.data() + kJournalPrefix.size(), last, number);
    if (error == std::errc() && end_of_number == last) out.emplace(number, it->path());
  }
  return out;
}

std::optional<std::string> text_of(const fs::path& path, size_t max_bytes = kMaxIndexBytes) {
  std::error_code failure;
  if (!fs::is_regular_file(path, failure)) return std::nullopt;
  return read_text_file(path, max_bytes);
}

}  // namespace

void LocalDatastore::set_aside(const fs::path& file) const {
  if (read_only_) return;
  std::error_code failure;
  for (int i = 1; i < 10'000; ++i) {
    const fs::path to = file.string() + ".damaged-" + std::to_string(i);
    if (fs::exists(to, failure)) continue;
    fs::rename(file, to, failure);
    return;
  }
}

std::optional<IndexDocument> LocalDatastore::load_own() {
  const fs::path path = own_folder() / "index.json";
  try {
    const auto text = text_of(path);
    if (!text) return std::nullopt;
    return read_index(*text);
  } catch (const Error&) {
    VOXLOOM_LOG_WARN(
        "datastore: its own index is damaged; it is kept beside under another name and made anew");
    set_aside(path);
    return std::nullopt;
  }
}

std::optional<IndexDocument> LocalDatastore::load_shared(FileStamp& stamp) {
  try {
    stamp = stamp_of(shared_index());
    const auto text = text_of(shared_index());
    if (!text) return std::nullopt;
    size_t skipped = 0;
    auto document = read_index(*text, &skipped);
    if (skipped > 0) {
      VOXLOOM_LOG_WARN("datastore_v2.json: {} entries cannot be used and are passed over", skipped);
    }
    return document;
  } catch (const Error&) {
    VOXLOOM_LOG_WARN(
        "datastore_v2.json is empty or damaged; it is kept beside under another name and made "
        "anew");
    set_aside(shared_index());
    stamp = {};
    return std::nullopt;
  }
}

/// Whether the change took effect. Finishes it when it was cut off between its journal line and
/// the renaming: the file is whole and synced then, under its hidden name.
bool LocalDatastore::recover(const Change& change) const {
  if (change.temporary.empty()) return true;
  const bool is_label = change.kind == Change::Kind::kLabel;
  const fs::path folder = is_label ? studies_.labels / change.tag : studies_.images;
  const fs::path file = folder / (is_label ? change.id + change.ext : change.location);
  const FileStamp there = stamp_of(file), hidden = stamp_of(folder / change.temporary);
  const bool same_file = there.inode == change.stamp.inode;
  const bool same_content = there.size == change.stamp.size &&
                            there.mtime_ns == change.stamp.mtime_ns;  // A folder that was copied.
  if (there.known() && (same_file || same_content)) return true;
  if (hidden != change.stamp || read_only_) return false;
  rename_durably(folder / change.temporary, file);
  return true;
}

void LocalDatastore::replay(const IndexDocument& own, ImageMap& images) {
  JournalReport total;
  for (const auto& [number, path] : journals_in(own_folder())) {
    generation_ = std::max(generation_, number + 1);
    if (number < own.first_journal) continue;
    const auto text = text_of(path, kMaxJournalBytes);
    if (!text) continue;
    const auto report = read_journal(*text, [&](const Change& change) {
      if (!recover(change)) return;
      apply_change(images, change);
      touched_.insert(change.id);
    });
    if (report.damaged > 0) damaged_journals_.insert(path.filename().string());
    total.changes += report.changes;
    total.damaged += report.damaged;
  }
  if (total.changes > 0 || total.damaged > 0) needs_export_ = true;
  if (total.changes > 0) {
    VOXLOOM_LOG_INFO("datastore: {} changes taken from the journal", total.changes);
  }
  if (total.damaged > 0) {
    VOXLOOM_LOG_WARN(
        "datastore: {} journal lines are damaged and left out; the journal is kept under another "
        "name",
        total.damaged);
  }
}

void LocalDatastore::remove_leftovers() const {
  if (read_only_) return;
  std::vector<fs::path> folders{studies_.root, studies_.images, studies_.labels, own_folder()};
  std::error_code failure;
  for (fs::directory_iterator it(studies_.labels, failure), end; !failure && it != end;
       it.increment(failure)) {
    std::error_code ignored;
    if (it->is_directory(ignored) && !it->is_symlink(ignored)) folders.push_back(it->path());
  }
  for (const auto& folder : folders) {
    std::error_code ignored;
    std::vector<fs::path> left;
    for (fs::directory_iterator it(folder, ignored), end; !ignored && it != end;
         it.increment(ignored)) {
      if (TemporaryFile::is_name(it->path().filename().string())) left.push_back(it->path());
    }
    for (const auto& path : left) fs::remove(path, ignored);
  }
}

void LocalDatastore::load() {
  std::error_code failure;
  studies_.root = fs::canonical(options_.folder, failure);
  VOXLOOM_CHECK(!failure && fs::is_directory(studies_.root, failure),
                ErrorCode::kNotFound,
                "studies folder '{}': must be a folder that exists",
                options_.folder.string());
  read_only_ = options_.read_only || ::access(studies_.root.c_str(), W_OK) != 0;
  if (!read_only_) {
    make_folder(own_folder());
    folder_lock_ = std::make_unique<FileLock>(own_folder() / "lock", std::chrono::milliseconds(0));
    VOXLOOM_CHECK(folder_lock_->held(),
                  ErrorCode::kUnavailable,
                  "studies folder '{}': must not be in use by another server",
                  options_.folder.string());
  }

  auto own = load_own();
  FileStamp stamp;
  std::optional<IndexDocument> shared;
  {
    // A program that hangs with the lock in its hand must not keep the server from starting.
    std::optional<FileLock> lock;
    if (!read_only_) lock.emplace(studies_.root / ".lock", std::chrono::seconds(5));
    shared = load_shared(stamp);
  }
  head_ = shared ? *shared : own ? *own : IndexDocument{};
  head_.images.clear();
  head_.first_journal = 0;
  head_.exported = stamp;
  head_.exported_before = {};
  studies_.images = head_.images_dir == "." ? studies_.root : studies_.root / head_.images_dir;
  studies_.labels = studies_.root / head_.labels_dir;

  ImageMap images = own ? own->images : shared ? shared->images : ImageMap{};
  replay(own.value_or(IndexDocument{}), images);
  const bool is_ours = own && (stamp == own->exported || stamp == own->exported_before);
  if (own && shared && !is_ours) take_over(images, *shared, touched_);
  if (!own || !shared || !is_ours) needs_export_ = true;
  remove_leftovers();

  if (const auto text = text_of(own_folder() / "dicom.json")) dicom_.from_text(*text);
  if (const auto text = text_of(own_folder() / "checksums.json")) checksums_.from_text(*text);
  for (auto& [id, image] : images) {
    absent_.emplace(id, std::make_shared<const StoredImage>(std::move(image)));
  }
  publish(IndexView());
  publish_head();
  if (!read_only_) {
    journal_ = Journal(own_folder() / (std::string(kJournalPrefix) + std::to_string(generation_)));
    needs_export_ = needs_export_ || generation_ == 0;
  }
  reload(DicomHeaders::kKnownOnly);
  export_at_ = std::chrono::steady_clock::now() + options_.export_delay;
}

}  // namespace voxloom::serve
