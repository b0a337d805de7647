// The changes of LocalDatastore. A new file goes to a hidden name first; the order is then: sync
// the file and its folder, sync a journal line that names both places, rename, publish. After a
// kill or a power cut the journal line decides: it counts when the file is in either place (see
// recover()), so that a file and its info are always of one save, and the renaming needs no sync
// of its own. It gets one before the journal goes (export_index()).
#include <array>
#include <ctime>
#include <system_error>
#include <utility>

#include "voxloom/core/error.h"
#include "voxloom/core/utf8.h"
#include "voxloom/io/path_suffix.h"
#include "voxloom/io/volume_io.h"
#include "voxloom/serve/datastore/file_name.h"
#include "voxloom/serve/datastore/info_json.h"
#include "voxloom/serve/datastore/local_datastore.h"
#include "voxloom/serve/datastore/open_image.h"

namespace voxloom::serve {
namespace {

namespace fs = std::filesystem;

// Old labels that may wait for being freed; more are freed while their successors are saved.
constexpr size_t kMostReplaced = 16;

std::string lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return text;
}

/// The extension that a label is stored under; ".bin" for raw voxels. MONAI Label would take
/// "x.seg.nrrd" for an image id "x.seg", so that is stored as NRRD, which it is.
std::string label_extension(std::string_view file_name) {
  const auto name = base_name(file_name);
  if (io::has_suffix(fs::path(name), ".bin")) return ".bin";
  const auto split = split_label_name(name);
  VOXLOOM_CHECK(split,
                ErrorCode::kInvalidArgument,
                "label: its file name must end with one of {} .bin",
                label_extensions());
  const std::string ext = lower(split->ext);
  return ext == ".seg.nrrd" ? ".nrrd" : ext;
}

void check_length(std::string_view id, const std::string& ext, std::string_view what) {
  VOXLOOM_CHECK(id.size() + ext.size() <= 255,
                ErrorCode::kInvalidArgument,
                "{}: must have at most {} bytes with '{}', got {}",
                what,
                255 - ext.size(),
                ext,
                id.size());
}

/// Header and last slice: that also finds a packed file that was cut.
void check_image(const fs::path& path) {
  try {
    const auto source = io::open_volume(path);
    const int64_t depth = source->geometry().size[2];
    static_cast<void>(source->read_slab(depth - 1, depth));
  } catch (const Error& error) {
    std::string why = error.what();
    for (const std::string& name : {path.string(), path.filename().string()}) {
      for (size_t at = why.find(name); at != std::string::npos; at = why.find(name)) {
        why.replace(at, name.size(), "upload");
      }
    }
    throw Error(ErrorCode::kInvalidArgument, format("image: must be readable: {}", why));
  }
}

bool is_picture(const std::string& ext) {
  for (const auto picture : {".jpg", ".jpeg", ".png", ".tif", ".tiff"}) {
    if (lower(ext) == picture) return true;
  }
  return false;
}

Json stored_info(const Json& info, const std::string& name) {
  Json out = Json::object();
  merge_info(out, info);
  out["ts"] = static_cast<int64_t>(std::time(nullptr));
  out["name"] = name;
  return out;
}

}  // namespace

void LocalDatastore::check_writable() const {
  VOXLOOM_CHECK(!read_only_,
                ErrorCode::kUnavailable,
                "studies folder: must be writable to keep changes, it is read-only");
}

void LocalDatastore::append(const Change& change) {
  const std::string line = journal_line(change);
  journal_.append(line);
  journal_bytes_ += line.size();
  touched_.insert(change.id);
}

void LocalDatastore::sync_hidden(const fs::path& file) {
  sync_file(file);
  // Costs next to nothing: with the file most file systems wrote its name too.
  sync_folder(file.parent_path());
}

void LocalDatastore::put_in_place(const Change& change, const fs::path& from, const fs::path& to) {
  append(change);
  renamed_in_.insert(to.parent_path());
  rename_file(from, to);
}

void LocalDatastore::publish_image(StoredImage image) {
  auto shared = std::make_shared<const StoredImage>(std::move(image));
  ids_by_place_.insert_or_assign(shared->place(), shared->id);
  absent_.erase(shared->id);
  publish(view()->with(std::move(shared)));
  schedule_export();
}

void LocalDatastore::commit(const Change& change) {
  append(change);
  std::map<std::string, StoredImage, std::less<>> one;
  one.emplace(change.id, *must_find(change.id));
  apply_change(one, change);
  publish_image(std::move(one.begin()->second));
}

LabelTarget LocalDatastore::label_target(const StoredImage& image) {
  const std::string place = image.place();
  {
    const std::lock_guard lock(targets_mutex_);
    const auto it = targets_.find(place);
    if (it != targets_.end() && it->second.stamp == image.stamp) return it->second.target;
  }
  LabelTarget target;
  try {
    target.grid = open_image(image_path(image.id, {}), image.record())->geometry();
  } catch (const Error& error) {
    throw error.with_context("label: the image it belongs to must be readable");
  }
  target.has_geometry = !is_picture(image.ext);
  const std::lock_guard lock(targets_mutex_);
  if (targets_.size() >= 1024) targets_.clear();  // Some hundred bytes each; they are read again.
  targets_.insert_or_assign(place, KnownTarget{image.stamp, target});
  return target;
}

void LocalDatastore::save_label(std::string_view id,
                                std::string_view tag,
                                const fs::path& file,
                                std::string_view file_name,
                                const Json& info) {
  check_name(tag, "tag");
  check_info(info, "label info");
  std::string ext = label_extension(file_name);
  auto image = must_find(id);
  check_writable();
  const bool is_raw = ext == ".bin";
  if (is_raw) ext = ".nii.gz";
  check_length(id, ext, "image id");

  const fs::path folder = studies_.labels / tag;
  make_folder(studies_.labels);
  make_folder(folder);
  VOXLOOM_CHECK(lies_within(folder, studies_.root),
                ErrorCode::kInvalidArgument,
                "tag '{}': its folder must lie in the studies folder",
                tag);
  TemporaryFile upload(folder, is_raw ? ".bin" : ext), converted(folder, ext);
  upload.take(file);
  if (is_raw) convert_raw_label(upload.path(), label_target(*image), converted.path());
  const fs::path& ready = is_raw ? converted.path() : upload.path();
  if (!is_raw) {
    const bool needs_grid = ext != ".json";
    check_label(ready, ext, needs_grid ? label_target(*image) : LabelTarget{});
  }
  sync_hidden(ready);

  const Change change{.kind = Change::Kind::kLabel,
                      .id = image->id,
                      .tag = std::string(tag),
                      .ext = ext,
                      .location = image->location,
                      .info = stored_info(info, std::string(id) + ext),
                      .stamp = stamp_of(ready),
                      .temporary = ready.filename().string()};
  const std::lock_guard lock(write_mutex_);
  StoredImage changed = *must_find(id);
  const fs::path place = folder / (changed.id + ext);
  if (replaced_.size() < kMostReplaced) replaced_.emplace_back(place);
  put_in_place(change, ready, place);
  const auto old = changed.labels.find(tag);
  const std::string old_ext = old == changed.labels.end() ? ext : old->second.ext;
  changed.labels.insert_or_assign(change.tag, StoredLabel{ext, change.info, change.stamp});
  const std::string old_name = changed.id + old_ext;
  publish_image(std::move(changed));
  if (old_ext != ext) remove_durably(folder / old_name);
}

void LocalDatastore::remove_label(std::string_view id, std::string_view tag) {
  check_writable();
  const std::lock_guard lock(write_mutex_);
  const auto image = view()->find(id);
  if (image == nullptr) return;
  const auto it = image->labels.find(tag);
  if (it == image->labels.end()) return;
  // The file first: a label whose file is gone is dropped at the next start in any case.
  remove_durably(studies_.labels / it->first / (image->id + it->second.ext));
  commit({.kind = Change::Kind::kDropLabel,
          .id = image->id,
          .tag = it->first,
          .ext = {},
          .location = {},
          .info = Json::object(),
          .stamp = {},
          .temporary = {}});
}

void LocalDatastore::update_label_info(std::string_view id,
                                       std::string_view tag,
                                       const Json& info) {
  check_info(info, "label info");
  check_writable();
  const std::lock_guard lock(write_mutex_);
  const auto image = must_find(id);
  const auto it = image->labels.find(tag);
  VOXLOOM_CHECK(it != image->labels.end(),
                ErrorCode::kNotFound,
                "label '{}' of image '{}': must be in the datastore",
                tag,
                id);
  Change change{.kind = Change::Kind::kLabel,
                .id = image->id,
                .tag = it->first,
                .ext = it->second.ext,
                .location = image->location,
                .info = it->second.info,
                .stamp = it->second.stamp,
                .temporary = {}};
  merge_info(change.info, info);
  check_info(change.info, "label info");
  commit(change);
}

std::map<std::string, StoredLabel, std::less<>> LocalDatastore::labels_on_disk(
    const StoredImage& image) const {
  Scan scan;
  std::error_code failure;
  for (fs::directory_iterator tag(studies_.labels, failure), end; !failure && tag != end;
       tag.increment(failure)) {
    const std::string tag_name = tag->path().filename().string();
    std::error_code ignored;
    if (tag_name.front() == '.' || !is_utf8(tag_name) || tag->is_symlink(ignored)) continue;
    for (const auto ext : {".nii.gz", ".nii", ".seg.nrrd", ".nrrd", ".mha", ".png", ".json"}) {
      const FileStamp stamp = stamp_of(tag->path() / (image.id + ext));
      if (stamp.known()) scan.labels.push_back({tag_name, image.id + ext, stamp});
    }
  }
  FoundImage found{image.location, image.id, image.ext, image.stamp, {}};
  scan.images.push_back(std::move(found));
  const auto state = reconcile(
      {std::make_shared<const StoredImage>(image)}, scan, static_cast<int64_t>(std::time(nullptr)));
  return state.present.empty() ? std::map<std::string, StoredLabel, std::less<>>{}
                               : state.present.front()->labels;
}

std::string LocalDatastore::add_image(const fs::path& file,
                                      std::string_view id,
                                      std::string_view file_name,
                                      const Json& info) {
  const auto split = split_image_name(base_name(file_name));
  VOXLOOM_CHECK(split,
                ErrorCode::kInvalidArgument,
                "image: its file name must end with one of {}",
                image_extensions());
  StoredImage image;
  image.id = id.empty() ? split->stem : std::string(id);
  image.ext = lower(split->ext);
  image.location = image.id + image.ext;
  check_name(image.id, "image id");
  check_length(image.id, image.ext, "image id");
  check_info(info, "image info");
  check_writable();

  TemporaryFile upload(studies_.images, image.ext);
  upload.take(file);
  check_image(upload.path());
  sync_hidden(upload.path());
  image.info = stored_info(info, image.location);
  image.info.erase("path");
  image.stamp = stamp_of(upload.path());

  const std::lock_guard lock(write_mutex_);
  const auto old = view()->find(image.id);
  VOXLOOM_CHECK(old == nullptr || old->location == old->id + old->ext,
                ErrorCode::kAlreadyExists,
                "image '{}': lies in a sub-folder, so an upload can't replace it",
                image.id);
  const auto owner = ids_by_place_.find(image.place());
  VOXLOOM_CHECK(owner == ids_by_place_.end() || owner->second == image.id,
                ErrorCode::kAlreadyExists,
                "image '{}': a file of that name must not exist yet",
                image.id);
  put_in_place({.kind = Change::Kind::kImage,
                .id = image.id,
                .tag = {},
                .ext = image.ext,
                .location = image.location,
                .info = image.info,
                .stamp = image.stamp,
                .temporary = upload.path().filename().string()},
               upload.path(),
               studies_.images / image.location);
  if (old != nullptr) {
    image.labels = old->labels;
  } else {
    if (const auto it = absent_.find(image.id); it != absent_.end()) {
      image.labels = it->second->labels;
    }
    image.labels = labels_on_disk(image);
  }
  std::string out = image.id;
  publish_image(std::move(image));
  if (old != nullptr && old->location != out + lower(split->ext)) {
    ids_by_place_.erase(old->place());
    remove_durably(studies_.images / old->location);
  }
  return out;
}

void LocalDatastore::remove_image(std::string_view id) {
  check_writable();
  const auto before = must_find(id);
  const fs::path path = image_path(id, {});
  std::vector<fs::path> files{path};
  if (before->is_series()) files = series_files(path, before->id);
  if (io::has_suffix(path, ".mhd")) {  // Its voxels lie in a file beside it.
    for (const auto ext : {".raw", ".zraw"}) files.push_back(fs::path(path).replace_extension(ext));
  }

  const std::lock_guard lock(write_mutex_);
  const auto image = must_find(id);
  for (const auto& file : files) remove_durably(file);
  append({.kind = Change::Kind::kDropImage,
          .id = image->id,
          .tag = {},
          .ext = {},
          .location = {},
          .info = Json::object(),
          .stamp = {},
          .temporary = {}});
  StoredImage absent = *image;
  absent.info = Json::object();
  absent.stamp = {};
  ids_by_place_.erase(image->place());
  publish(view()->without(id));
  if (!absent.labels.empty()) {
    absent_.insert_or_assign(absent.id, std::make_shared<const StoredImage>(std::move(absent)));
  }
  schedule_export();
}

void LocalDatastore::update_image_info(std::string_view id, const Json& info) {
  check_info(info, "image info");
  check_writable();
  const std::lock_guard lock(write_mutex_);
  StoredImage image = *must_find(id);
  merge_info(image.info, info);
  note_location(image);
  check_info(image.info, "image info");
  append({.kind = Change::Kind::kImage,
          .id = image.id,
          .tag = {},
          .ext = image.ext,
          .location = image.location,
          .info = image.info,
          .stamp = image.stamp,
          .temporary = {}});
  publish_image(std::move(image));
}

}  // namespace voxloom::serve
