// What LocalDatastore does beside its calls: following the folder, writing the index files.
#include <algorithm>
#include <ctime>
#include <exception>
#include <system_error>
#include <utility>

#include <sys/stat.h>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/core/log.h"
#include "voxloom/serve/datastore/file_name.h"
#include "voxloom/serve/datastore/info_json.h"
#include "voxloom/serve/datastore/local_datastore.h"

namespace voxloom::serve {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// Events come in groups: look once they have ended, but within a second in any case.
constexpr milliseconds kQuiet{100}, kPatience{700}, kRetry{2000};

/// A file that has its content as soon as it has its name.
bool is_linked(const fs::path& path) {
  struct stat s {};
  return ::lstat(path.c_str(), &s) == 0 && (S_ISLNK(s.st_mode) || s.st_nlink > 1);
}

}  // namespace

void LocalDatastore::schedule_export() {
  if (!needs_export_) {
    needs_export_ = true;
    export_at_ = std::max(export_at_, Clock::now() + options_.export_delay);
    watch_.wake();
  }
}

void LocalDatastore::run() {
  const bool sees_all = !is_network_disk(studies_.root);
  bool dirty = true;
  auto dirty_since = Clock::now(), look_at = dirty_since;
  auto poll_at = Clock::now() + options_.poll;
  while (!stop_) {
    const bool polls = options_.watch && (!sees_all || !watch_.complete());
    auto wake_at = Clock::now() + std::chrono::minutes(10);
    if (dirty) wake_at = std::min(wake_at, look_at);
    if (polls) wake_at = std::min(wake_at, poll_at);
    {
      const std::lock_guard lock(write_mutex_);
      if (needs_export_ && !read_only_) wake_at = std::min(wake_at, export_at_);
    }
    const auto waited = watch_.wait(
        std::chrono::ceil<milliseconds>(std::max(wake_at - Clock::now(), Clock::duration::zero())));
    if (stop_) return;
    {
      std::vector<HeldFile> replaced;  // They are freed here, while nobody waits.
      const std::lock_guard lock(write_mutex_);
      replaced.swap(replaced_);
    }
    const auto now = Clock::now();
    bool news = waited.overflow;
    for (const auto& event : waited.events) news = news || !explains(event);
    if (news) {
      if (!dirty) dirty_since = now;
      dirty = true;
      look_at = std::min(dirty_since + kPatience, now + kQuiet);
    }
    try {
      if ((dirty && now >= look_at) || (polls && now >= poll_at)) {
        dirty = false;
        reload(DicomHeaders::kRead);
        poll_at = Clock::now() + options_.poll;
      }
      bool is_due = false;
      {
        const std::lock_guard lock(write_mutex_);
        is_due = needs_export_ && !read_only_ && now >= export_at_;
      }
      if (is_due && !export_index()) throw Error(ErrorCode::kUnavailable, "index: locked");
    } catch (const std::exception& error) {
      const auto* ours = dynamic_cast<const Error*>(&error);
      VOXLOOM_LOG_WARN("datastore: its files cannot be followed or written now ({}); trying again",
                       ours != nullptr ? error_code_name(ours->code()) : "internal");
      const std::lock_guard lock(write_mutex_);
      export_at_ = Clock::now() + kRetry;
    }
  }
}

/// Whether what happened is what the index says already: so are our own writes.
bool LocalDatastore::explains(const FolderWatch::Event& event) {
  if (event.name.empty()) return false;
  if (event.name.front() == '.') return true;
  const fs::path path = event.folder / event.name;
  if (event.is_folder) return false;
  if (event.only_created && !is_linked(path)) return true;
  const std::lock_guard lock(write_mutex_);
  const FileStamp stamp = stamp_of(path);
  if (path == shared_index()) return !is_foreign(stamp);
  const auto images = view();
  if (event.folder.parent_path() == studies_.labels) {
    const auto split = split_label_name(event.name);
    if (!split) return true;
    if (split->ext == ".seg.nrrd") return false;
    const auto image = images->find(split->stem);
    if (image == nullptr) return true;
    const auto label = image->labels.find(event.folder.filename().string());
    const bool known = label != image->labels.end() && label->second.ext == split->ext;
    return known ? label->second.stamp == stamp : !stamp.known();
  }
  if (split_image_name(event.name)) {
    const auto it = ids_by_place_.find(path.lexically_relative(studies_.images).string());
    const auto image = it == ids_by_place_.end() ? nullptr : images->find(it->second);
    return image == nullptr ? !stamp.known() : image->stamp == stamp;
  }
  return !may_be_dicom(event.name);
}

bool LocalDatastore::is_foreign(const FileStamp& stamp) const {
  return stamp.known() && stamp != head_.exported && stamp != head_.exported_before;
}

std::optional<IndexDocument> LocalDatastore::foreign_index() {
  {
    const std::lock_guard lock(write_mutex_);
    if (!is_foreign(stamp_of(shared_index()))) return std::nullopt;
  }
  std::optional<FileLock> lock;
  if (!read_only_) {
    lock.emplace(studies_.root / ".lock", std::chrono::seconds(5));
    VOXLOOM_CHECK(lock->held(), ErrorCode::kUnavailable, "datastore_v2.json: must not be locked");
  }
  FileStamp stamp;
  auto document = load_shared(stamp);
  const std::lock_guard write_lock(write_mutex_);
  if (document) {
    head_.exported_before = head_.exported;
    head_.exported = stamp;
    head_.name = document->name;
    head_.description = document->description;
    head_.further = document->further;
    publish_head();
  }
  schedule_export();
  return document;
}

std::vector<ImagePtr> LocalDatastore::known_images() const {
  std::vector<ImagePtr> out;
  view()->for_each([&](const ImagePtr& image) { out.push_back(image); });
  for (const auto& [id, image] : absent_) out.push_back(image);
  return out;
}

void LocalDatastore::rename_labels(const Reconciled& state) {
  for (const auto& renamed : state.renamed) {
    const auto image = std::find_if(state.present.begin(), state.present.end(), [&](const auto& i) {
      return i->id == renamed.after;
    });
    if (image == state.present.end()) continue;
    for (const auto& [tag, label] : (*image)->labels) {
      const fs::path from = studies_.labels / tag / (renamed.before + label.ext);
      const fs::path to = studies_.labels / tag / (renamed.after + label.ext);
      std::error_code failure;
      if (fs::exists(from, failure) && !fs::exists(to, failure)) rename_durably(from, to);
    }
  }
}

void LocalDatastore::reload(DicomHeaders headers) {
  const std::lock_guard reload_lock(reload_mutex_);
  const auto foreign = foreign_index();
  std::set<fs::path> watched;
  std::vector<ImagePtr> known;
  for (int attempt = 0;; ++attempt) {
    const uint64_t seen = revision();
    // The disk is read without holding up those who write; if one did, it is read again.
    Scan scan = scan_studies(studies_, dicom_, headers);
    if (options_.watch) {
      // A folder that appeared may have been filled before it was watched.
      const size_t before = watched.size();
      watched.insert(scan.folders.begin(), scan.folders.end());
      watch_.add(scan.folders);
      if (watched.size() != before && attempt < 3) continue;
    }
    const std::lock_guard lock(write_mutex_);
    if (revision() != seen) {
      if (attempt < 6) continue;
      scan = scan_studies(studies_, dicom_, headers);
    }
    known = known_images();
    if (foreign) {
      ImageMap images;
      std::map<std::string, ImagePtr, std::less<>> originals;
      for (const auto& image : known) {
        originals.emplace(image->id, image);
        images.emplace(image->id, *image);
      }
      take_over(images, *foreign, touched_);
      known.clear();
      for (auto& [id, image] : images) {
        const auto it = originals.find(id);
        const bool same = it != originals.end() && *it->second == image;
        known.push_back(same ? it->second : std::make_shared<const StoredImage>(std::move(image)));
      }
    }
    const auto now_s = static_cast<int64_t>(std::time(nullptr));
    Reconciled state = reconcile(known, scan, now_s);
    if (!state.renamed.empty() && !read_only_) rename_labels(state);
    if (install(state)) schedule_export();
    return;
  }
}

bool LocalDatastore::install(const Reconciled& state) {
  std::vector<ImagePtr> current;
  const auto images = view();
  images->for_each([&](const ImagePtr& image) { current.push_back(image); });
  std::map<std::string, ImagePtr, std::less<>> absent;
  for (const auto& image : state.absent) absent.emplace(image->id, image);
  for (const auto& image : state.present) absent.erase(image->id);
  const bool same_absent = absent == absent_;
  absent_ = std::move(absent);
  if (current == state.present) return !same_absent;
  ids_by_place_.clear();
  for (const auto& image : state.present) ids_by_place_.emplace(image->place(), image->id);
  publish(IndexView::build(state.present, images->revision() + 1));
  return true;
}

void LocalDatastore::refresh() {
  reload(DicomHeaders::kRead);
}

bool LocalDatastore::flush() {
  if (read_only_) return true;
  bool needed = false;
  {
    const std::lock_guard lock(write_mutex_);
    needed = needs_export_;
  }
  return !needed || export_index();
}

bool LocalDatastore::export_index() {
  const std::lock_guard export_lock(export_mutex_);
  const auto begin = Clock::now();
  bool foreign = false;
  {
    const std::lock_guard lock(write_mutex_);
    foreign = is_foreign(stamp_of(shared_index()));
  }
  if (foreign) reload(DicomHeaders::kKnownOnly);
  const FileLock shared_lock(studies_.root / ".lock", std::chrono::seconds(2));
  if (!shared_lock.held()) return false;

  // From here on changes go to a new journal, so that the old ones can go once all is written.
  const std::string name = "journal-" + std::to_string(generation_ + 1);
  Journal next(own_folder() / name);
  IndexDocument head;
  std::vector<ImagePtr> present, absent;
  std::set<std::string, std::less<>> touched;
  std::set<fs::path> renamed_in;
  {
    const std::lock_guard lock(write_mutex_);
    if (is_foreign(stamp_of(shared_index()))) return false;
    ++generation_;
    std::swap(journal_, next);
    head = head_;
    head.first_journal = generation_;
    view()->for_each([&](const ImagePtr& image) { present.push_back(image); });
    for (const auto& [id, image] : absent_) absent.push_back(image);
    touched.swap(touched_);
    renamed_in.swap(renamed_in_);
    needs_export_ = false;
  }
  try {
    for (const auto& folder : renamed_in) sync_folder(folder);
    write_index(head, present, absent);
  } catch (const std::exception&) {
    const std::lock_guard lock(write_mutex_);
    touched_.merge(touched);
    renamed_in_.merge(renamed_in);
    needs_export_ = true;
    throw;
  }
  std::error_code ignored;
  std::vector<fs::path> old;
  for (fs::directory_iterator it(own_folder(), ignored), end; !ignored && it != end;
       it.increment(ignored)) {
    const std::string file = it->path().filename().string();
    if (file.starts_with("journal-") && file != name && file.find('.') == std::string::npos) {
      old.push_back(it->path());
    }
  }
  for (const auto& path : old) {
    if (damaged_journals_.contains(path.filename().string())) {
      set_aside(path);
    } else {
      fs::remove(path, ignored);
    }
  }
  // A long list takes a while to write; saving must not be slowed down by it again and again.
  const std::lock_guard lock(write_mutex_);
  export_at_ = Clock::now() + 10 * (Clock::now() - begin);
  return true;
}

void LocalDatastore::write_index(const IndexDocument& head,
                                 const std::vector<ImagePtr>& present,
                                 const std::vector<ImagePtr>& absent) {
  constexpr auto kReplace = Json::error_handler_t::replace;
  TemporaryFile shared(studies_.root, ".json");
  FileStamp stamp;
  {
    Json document = document_head(head);
    Json& objects = document["objects"];
    for (const auto& image : present) append_key(objects, image->id, document_object(*image));
    write_synced(shared.path(), document.dump(2, ' ', false, kReplace));
    stamp = stamp_of(shared.path());
  }
  {
    Json document = document_head(head);
    document["voxloom"] = {{"first_journal", head.first_journal},
                           {"exported", to_json(stamp)},
                           {"exported_before", to_json(head.exported)}};
    Json& objects = document["objects"];
    for (const auto& image : present) append_key(objects, image->id, state_object(*image));
    for (const auto& image : absent) append_key(objects, image->id, state_object(*image));
    replace_file(own_folder() / "index.json", to_line(document));
  }
  {
    const std::lock_guard lock(write_mutex_);
    head_.exported_before = head_.exported;
    head_.exported = stamp;
  }
  rename_durably(shared.path(), shared_index());
  if (checksums_.changed()) replace_file(own_folder() / "checksums.json", checksums_.to_text());
  const std::lock_guard lock(reload_mutex_);
  if (dicom_.changed()) replace_file(own_folder() / "dicom.json", dicom_.to_text());
}

}  // namespace voxloom::serve
