#include "voxloom/serve/datastore/local_labels.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>

#include <fcntl.h>
#include <unistd.h>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/core/json_text.h"
#include "voxloom/io/path_suffix.h"

namespace voxloom::serve {
namespace {

namespace fs = std::filesystem;

// Longest first: ".nii.gz" before ".gz" would come.
constexpr std::array kSuffixes = {".nii.gz", ".nii", ".nrrd", ".mha", ".npz", ".dcm"};

std::optional<std::string> find_suffix(std::string_view name) {
  for (const char* suffix : kSuffixes) {
    if (io::has_suffix(fs::path(name), suffix)) return suffix;
  }
  return std::nullopt;
}

void make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  VOXLOOM_CHECK(!error,
                ErrorCode::kUnavailable,
                "labels '{}': the folder can't be made: {}",
                folder.string(),
                error.message());
}

void sync(const fs::path& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_RDONLY | O_CLOEXEC);
  const bool good = fd >= 0 && ::fsync(fd) == 0;
  const int code = errno;
  if (fd >= 0) ::close(fd);
  VOXLOOM_CHECK(good || (flags & O_DIRECTORY) != 0,  // Some file systems can't sync folders.
                ErrorCode::kUnavailable,
                "label: the file can't be synced: {}",
                std::strerror(code));
}

// Moves a file to its place whole and synced, across file systems too.
void move_in(const fs::path& from, const fs::path& to) {
  sync(from, 0);
  std::error_code error;
  fs::rename(from, to, error);
  if (error == std::errc::cross_device_link) {
    AtomicFile out(to, Overwrite::kReplace);
    std::ifstream in(from, std::ios::binary);
    std::string block(size_t{1} << 20, '\0');
    while (in) {
      in.read(block.data(), static_cast<std::streamsize>(block.size()));
      out.write(std::string_view(block.data(), static_cast<size_t>(in.gcount())));
    }
    VOXLOOM_CHECK(in.eof(), ErrorCode::kUnavailable, "label: the uploaded file can't be read");
    out.commit();
    fs::remove(from, error);
    return;
  }
  VOXLOOM_CHECK(!error,
                ErrorCode::kUnavailable,
                "label: the file can't be moved into place: {}",
                error.message());
  sync(to.parent_path(), O_DIRECTORY);
}

}  // namespace

std::string label_suffix(std::string_view file_name) {
  const auto suffix = find_suffix(file_name);
  VOXLOOM_CHECK(suffix.has_value(),
                ErrorCode::kInvalidArgument,
                "label: the file's name must end with .nii.gz, .nii, .nrrd, .mha, .npz or .dcm");
  return *suffix;
}

LocalLabels::LocalLabels(fs::path folder) : folder_(std::move(folder)) {
  make_folder(folder_ / "labels");
  make_folder(folder_ / "info");
  scan_labels();
  scan_info();
}

void LocalLabels::scan_labels() {
  for (const auto& tag : fs::directory_iterator(folder_ / "labels")) {
    if (!tag.is_directory()) continue;
    for (const auto& file : fs::directory_iterator(tag.path())) {
      const std::string name = file.path().filename().string();
      const auto ext = find_suffix(name);
      if (!ext || name.starts_with('.') || !file.is_regular_file()) continue;
      const std::string id = name.substr(0, name.size() - ext->size());
      images_[id].labels[tag.path().filename().string()].ext = *ext;
    }
  }
}

void LocalLabels::scan_info() {
  constexpr std::string_view kSuffix = ".json";
  for (const auto& file : fs::directory_iterator(folder_ / "info")) {
    const std::string name = file.path().filename().string();
    if (!name.ends_with(kSuffix) || name.starts_with('.')) continue;
    const Json json = read_json(read_text_file(file.path())).value;
    if (!json.is_object()) continue;
    Image& image = images_[name.substr(0, name.size() - kSuffix.size())];
    if (json.contains("image") && json["image"].is_object()) image.info = json["image"];
    if (!json.contains("labels") || !json["labels"].is_object()) continue;
    for (const auto& [tag, info] : json["labels"].items()) {
      if (info.is_object()) image.labels[tag].info = info;
    }
  }
}

fs::path LocalLabels::file_of(std::string_view id,
                              std::string_view tag,
                              std::string_view ext) const {
  return folder_ / "labels" / tag / (std::string(id) + std::string(ext));
}

LocalLabels::Image LocalLabels::copy(std::string_view id) const {
  const std::lock_guard lock(mutex_);
  const auto found = images_.find(id);
  return found == images_.end() ? Image{} : found->second;
}

Json LocalLabels::image_info(std::string_view id) const {
  return copy(id).info;
}

Json LocalLabels::label_info(std::string_view id, std::string_view tag) const {
  const std::lock_guard lock(mutex_);
  const auto image = images_.find(id);
  if (image == images_.end()) return Json::object();
  const auto label = image->second.labels.find(tag);
  return label == image->second.labels.end() ? Json::object() : label->second.info;
}

std::vector<LabelRecord> LocalLabels::labels(std::string_view id) const {
  std::vector<LabelRecord> out;
  const std::lock_guard lock(mutex_);
  const auto image = images_.find(id);
  if (image == images_.end()) return out;
  for (const auto& [tag, label] : image->second.labels) {
    if (!label.ext.empty()) out.push_back({tag, label.ext, label.info});
  }
  return out;
}

fs::path LocalLabels::label_path(std::string_view id, std::string_view tag) const {
  const Image image = copy(id);
  const auto label = image.labels.find(tag);
  VOXLOOM_CHECK(label != image.labels.end() && !label->second.ext.empty(),
                ErrorCode::kNotFound,
                "image '{}' has no label '{}'",
                id,
                tag);
  return file_of(id, tag, label->second.ext);
}

// Writes the info file, then shows the change. Called with `writing_` held.
void LocalLabels::store(std::string_view id, Image image) {
  Json json = {{"image", image.info}, {"labels", Json::object()}};
  for (const auto& [tag, label] : image.labels) json["labels"][tag] = label.info;
  AtomicFile file(folder_ / "info" / (std::string(id) + ".json"), Overwrite::kReplace);
  file.write(json.dump(2, ' ', false, Json::error_handler_t::replace));
  file.commit();
  const std::lock_guard lock(mutex_);
  images_.insert_or_assign(std::string(id), std::move(image));
}

void LocalLabels::merge_image_info(std::string_view id, const Json& info) {
  const std::lock_guard lock(writing_);
  Image image = copy(id);
  image.info.update(info);
  store(id, std::move(image));
}

void LocalLabels::set_label_info(std::string_view id, std::string_view tag, const Json& info) {
  const std::lock_guard lock(writing_);
  Image image = copy(id);
  image.labels[std::string(tag)].info = info;
  store(id, std::move(image));
}

void LocalLabels::save(std::string_view id,
                       std::string_view tag,
                       const fs::path& file,
                       std::string_view ext,
                       const Json& info) {
  const std::lock_guard lock(writing_);
  make_folder(folder_ / "labels" / tag);
  move_in(file, file_of(id, tag, ext));
  Image image = copy(id);
  Label& label = image.labels[std::string(tag)];
  const std::string old = std::exchange(label.ext, std::string(ext));
  label.info = info;
  store(id, std::move(image));
  if (!old.empty() && old != ext) {
    std::error_code ignored;
    fs::remove(file_of(id, tag, old), ignored);
  }
}

bool LocalLabels::remove(std::string_view id, std::string_view tag) {
  const std::lock_guard lock(writing_);
  Image image = copy(id);
  const auto label = image.labels.find(tag);
  if (label == image.labels.end() || label->second.ext.empty()) return false;
  std::error_code error;
  fs::remove(file_of(id, tag, label->second.ext), error);
  VOXLOOM_CHECK(
      !error, ErrorCode::kUnavailable, "label: the file can't be removed: {}", error.message());
  sync(folder_ / "labels" / tag, O_DIRECTORY);
  image.labels.erase(label);
  store(id, std::move(image));
  return true;
}

}  // namespace voxloom::serve
