#pragma once

#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "voxloom/serve/datastore/datastore.h"

namespace voxloom::serve {

/// Labels that stay on this machine while their images are elsewhere, and what is known about
/// images and labels beyond what the other side keeps. Thread-safe; reads never wait for the disk.
///
/// Below `folder`: "labels/<tag>/<id><ext>" as MONAI Label lays them out, and "info/<id>.json" =
/// {"image": {...}, "labels": {"<tag>": {...}}}, one small file an image, so that a save costs the
/// same whatever else is there. A label counts when its file is there; its info may lack.
class LocalLabels {
 public:
  /// Reads what is there. Throws kUnavailable when the folder can't be used.
  explicit LocalLabels(std::filesystem::path folder);

  [[nodiscard]] Json image_info(std::string_view id) const;
  /// Info stored under that tag, whether a label file is there or not; {} where there is none.
  [[nodiscard]] Json label_info(std::string_view id, std::string_view tag) const;
  /// The labels that have a file, sorted by tag.
  [[nodiscard]] std::vector<LabelRecord> labels(std::string_view id) const;
  /// Throws kNotFound naming id and tag.
  [[nodiscard]] std::filesystem::path label_path(std::string_view id, std::string_view tag) const;

  void merge_image_info(std::string_view id, const Json& info);
  /// Replaces the info of a tag.
  void set_label_info(std::string_view id, std::string_view tag, const Json& info);
  /// Moves `file` in; synced on return.
  void save(std::string_view id,
            std::string_view tag,
            const std::filesystem::path& file,
            std::string_view ext,
            const Json& info);
  /// True when there was one.
  bool remove(std::string_view id, std::string_view tag);

 private:
  struct Label {
    std::string ext;  // Empty: no file.
    Json info = Json::object();
  };
  struct Image {
    Json info = Json::object();
    std::map<std::string, Label, std::less<>> labels;
  };
  void scan_labels();
  void scan_info();
  Image copy(std::string_view id) const;
  void store(std::string_view id, Image image);
  [[nodiscard]] std::filesystem::path file_of(std::string_view id,
                                              std::string_view tag,
                                              std::string_view ext) const;

  std::filesystem::path folder_;
  std::mutex writing_;  // One writer at a time; taken before mutex_.
  mutable std::mutex mutex_;
  std::map<std::string, Image, std::less<>> images_;
};

/// ".nii.gz", ".nrrd", ...: the suffix of a label file's name, in lower case. Throws
/// kInvalidArgument naming the known ones.
[[nodiscard]] std::string label_suffix(std::string_view file_name);

}  // namespace voxloom::serve
