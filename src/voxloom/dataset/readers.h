#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "voxloom/dataset/plain_picture.h"
#include "voxloom/dataset/sample.h"

namespace voxloom::dataset {

/// First part of the name of made pictures of sealed samples.
inline constexpr const char* kSealedFolder = "sealed";

/// A picture that a data set holds in another form than a picture file (a frame of an HDF5 file,
/// the mask of polygons): PictureExport writes it before anything reads the sample.
struct MadePicture {
  enum class Part { kImage, kMask };
  size_t sample = 0;  ///< Index in Listing::samples, whose path of that part is set when written.
  Part part = Part::kMask;
  std::string name;  ///< Below the export folder, without a suffix: "mask/train/12".
  /// Called once, from any thread. Throws kDataCorrupt naming the file it comes from.
  std::function<PlainPicture()> make;
};

/// Labelled pixels of a part of a published set, all its masks together.
struct PublishedPixels {
  std::string subset;
  uint8_t id = 0;  ///< Of the data set.
  int64_t pixels = 0;
};

/// What a reader found in a folder.
struct Listing {
  std::vector<Sample> samples;        ///< Without hashes. `classes` all unknown: to be found out.
  std::vector<std::string> problems;  ///< Pairs that can't be used: file and reason.
  std::vector<MadePicture> made;      ///< What is not a picture file yet.
  std::vector<std::string> notes;     ///< Where the folder differs from the published set.
  std::vector<std::string> remarks;   ///< What else a user should know, such as what is left out.
  std::vector<PublishedPixels> published_pixels;
};

/// Leaves out the samples whose entry in `keep` is false, and what would be made for them.
void keep_samples(Listing& listing, const std::vector<bool>& keep);

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
