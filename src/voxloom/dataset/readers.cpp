// The only list of data-set readers, the more specific layouts first.
#include "voxloom/dataset/readers.h"

#include <utility>

#include "voxloom/core/error.h"
#include "voxloom/dataset/readers_list.h"

namespace voxloom::dataset {

const std::vector<DatasetReader>& dataset_readers() {
  static const std::vector<DatasetReader> list = {
      rossa_reader(),
      cathaction_reader(),
      mosxav_reader(),
      fga_net_reader(),
      arcade_reader(),
      guide3d_reader(),
      weiss_reader(),
      folder_reader(),
      coco_reader(),
  };
  return list;
}

const DatasetReader& find_reader(std::string_view name, const std::filesystem::path& folder) {
  VOXLOOM_CHECK(std::filesystem::is_directory(folder),
                ErrorCode::kNotFound,
                "data '{}': must be a folder",
                folder.string());
  std::string names;
  for (const auto& reader : dataset_readers()) {
    if (reader.name == name || (name == "auto" && reader.recognises(folder))) return reader;
    names += names.empty() ? "" : ", ";
    names += reader.name;
  }
  VOXLOOM_CHECK(name == "auto",
                ErrorCode::kInvalidArgument,
                "layout: must be auto or one of {}, got '{}'",
                names,
                name);
  throw Error(
      ErrorCode::kNotFound,
      format("data '{}': must have a known layout, got none of {}", folder.string(), names));
}

void keep_samples(Listing& listing, const std::vector<bool>& keep) {
  std::vector<size_t> place(listing.samples.size());
  size_t kept = 0;
  for (size_t i = 0; i < listing.samples.size(); ++i) {
    place[i] = kept;
    if (!keep.at(i)) continue;
    if (kept != i) listing.samples[kept] = std::move(listing.samples[i]);
    ++kept;
  }
  listing.samples.resize(kept);
  std::erase_if(listing.made, [&](const MadePicture& made) { return !keep.at(made.sample); });
  for (auto& made : listing.made) made.sample = place[made.sample];
}

void note_count(
    Listing& listing, const std::string& part, const char* what, int64_t found, int64_t published) {
  if (found == published) return;
  listing.notes.push_back(
      format("{}: the published set has {} {}, got {}", part, published, what, found));
}

}  // namespace voxloom::dataset
