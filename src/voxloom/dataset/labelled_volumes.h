#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "voxloom/dataset/sample.h"

namespace voxloom::dataset {

/// A volume with the label map of its voxels: one value an object, 0 is background.
struct LabelledVolume {
  std::string id;
  std::filesystem::path image, label;  ///< The same file where one holds both (NPZ).
  Role role = Role::kNone;             ///< kNone: the data do not say.
  bool operator==(const LabelledVolume&) const = default;
};

/// Lists labelled volumes, in order of name, without reading a voxel. `data` is one of
///   a folder with image/ and label/ of equal file names,
///   a folder with labels/final/, a datastore of the annotation server: its images that have a
///   final label,
///   a folder of NPZ files that hold imgs and gts both,
///   a JSON file {"cases": [{"id", "image", "label", "role"}]} (role may be absent),
///   a manifest of JSON lines (manifest.h).
/// Paths in files are relative to them. Throws kNotFound or kDataCorrupt naming every file without
/// a partner.
[[nodiscard]] std::vector<LabelledVolume> read_labelled_volumes(const std::filesystem::path& data);

}  // namespace voxloom::dataset
