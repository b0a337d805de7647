#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "voxloom/core/cancel.h"
#include "voxloom/image/volume.h"

namespace voxloom::serve {

using Json = nlohmann::ordered_json;

/// The tags that MONAI Label gives a meaning.
inline constexpr const char* kFinalTag = "final";        ///< Submitted: the image is completed.
inline constexpr const char* kOriginalTag = "original";  ///< A prediction.

struct LabelRecord {
  std::string tag, ext;  ///< ".nii.gz"
  Json info = Json::object();
};

struct ImageRecord {
  std::string id, ext;  ///< ext is empty for a folder of DICOM files.
  Json info = Json::object();
  std::vector<LabelRecord> labels;

  [[nodiscard]] const LabelRecord* label(std::string_view tag) const;
  [[nodiscard]] bool completed() const { return label(kFinalTag) != nullptr; }
};

struct DatastoreStats {
  int64_t total = 0, completed = 0;
  std::vector<std::pair<std::string, int64_t>> label_tags;  ///< Tag, labels; sorted by tag.
};

/// Images and their labels, whatever keeps them: a folder or a DICOMweb server. Thread-safe; reads
/// never wait for a write's disk. An id or tag is a plain name: at most 255 bytes, no separators,
/// not "." or "..", no control characters (check_name).
class Datastore {
 public:
  virtual ~Datastore() = default;

  [[nodiscard]] virtual DatastoreStats stats() const = 0;
  /// Ids, sorted: "datastore order".
  [[nodiscard]] virtual std::vector<std::string> image_ids() const = 0;
  [[nodiscard]] virtual std::optional<ImageRecord> find(std::string_view id) const = 0;
  /// `GET /datastore/?output=all`: name, description, images_dir, labels_dir, objects.
  [[nodiscard]] virtual Json document() const = 0;
  /// Grows with every change; equal revisions mean equal content.
  [[nodiscard]] virtual uint64_t revision() const = 0;

  /// The image as a file or a folder of DICOM files on this machine (fetched where it is remote).
  /// Throws kNotFound.
  [[nodiscard]] virtual std::filesystem::path image_path(std::string_view id,
                                                         const CancelToken& stop) = 0;
  /// Throws kNotFound naming id and tag.
  [[nodiscard]] virtual std::filesystem::path label_path(std::string_view id,
                                                         std::string_view tag) = 0;

  /// Moves `file` in as an image; `info` is stored with ts and name added. On return the image is
  /// on disk, synced. Throws kInvalidArgument for a bad id or an unreadable image, kUnavailable.
  virtual std::string add_image(const std::filesystem::path& file,
                                std::string_view id,
                                std::string_view file_name,
                                const Json& info) = 0;
  virtual void remove_image(std::string_view id) = 0;
  /// Merges keys into the image's info. Throws kNotFound.
  virtual void update_image_info(std::string_view id, const Json& info) = 0;

  /// Moves `file` in as the label of `id` under `tag`. On return it is on disk, synced, and found
  /// again after kill -9. Checked first: a readable label map on the image's grid.
  /// Throws kNotFound (no such image), kInvalidArgument (tag, or what the file holds).
  virtual void save_label(std::string_view id,
                          std::string_view tag,
                          const std::filesystem::path& file,
                          std::string_view file_name,
                          const Json& info) = 0;
  virtual void remove_label(std::string_view id, std::string_view tag) = 0;
  virtual void update_label_info(std::string_view id, std::string_view tag, const Json& info) = 0;
};

/// Throws kInvalidArgument naming `what` ("image id", "tag") when `name` is no plain name.
void check_name(std::string_view name, std::string_view what);

}  // namespace voxloom::serve
