#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "voxloom/dataset/sample.h"

namespace voxloom::dataset {

/// What a reader found in a folder.
struct Listing {
  std::vector<Sample> samples;        ///< Without hashes. `classes` all unknown: to be found out.
  std::vector<std::string> problems;  ///< Pairs that can't be used: file and reason.
};

/// One published layout of a data set.
struct DatasetReader {
  std::string_view name;     ///< As given to --layout.
  std::string_view licence;  ///< Of the published data.
  std::string_view summary;  ///< One line.
  std::string_view layout;   ///< Folders and files.
  /// True when `folder` looks like this layout and like no other.
  bool (*recognises)(const std::filesystem::path& folder);
  /// Lists samples in order of id. Throws kNotFound when the folders are missing.
  Listing (*list)(const std::filesystem::path& folder);
};

/// Every reader. A new one: a file readers_<name>.cpp, a declaration in readers_list.h and a line
/// in readers.cpp.
[[nodiscard]] const std::vector<DatasetReader>& dataset_readers();

/// By name, or "auto": the first that recognises `folder`. Throws kInvalidArgument listing the
/// names, kNotFound when no reader recognises it.
[[nodiscard]] const DatasetReader& find_reader(std::string_view name,
                                               const std::filesystem::path& folder);

}  // namespace voxloom::dataset
