// Folders image/ and label/ with equal file names: the 'folder' and 'rossa' layouts.
#include <algorithm>
#include <iterator>
#include <utility>

#include "voxloom/core/error.h"
#include "voxloom/dataset/folder_files.h"
#include "voxloom/dataset/readers_list.h"

namespace voxloom::dataset {
namespace {

namespace fs = std::filesystem;

bool has_pairs(const fs::path& folder) {
  return is_folder(folder / "image") && is_folder(folder / "label");
}

struct Part {
  const char* folder;
  Role role;
};

/// Every part that is there.
Listing list_parts(const fs::path& folder, const std::vector<Part>& parts) {
  Listing out;
  for (const auto& part : parts) {
    if (!has_pairs(folder / part.folder)) continue;
    Listing found = list_pairs({.images = folder / part.folder / "image",
                                .masks = folder / part.folder / "label",
                                .subset = part.folder});
    for (auto& sample : found.samples) sample.role = part.role;
    std::ranges::move(found.samples, std::back_inserter(out.samples));
    std::ranges::move(found.problems, std::back_inserter(out.problems));
  }
  VOXLOOM_CHECK(!out.samples.empty() || !out.problems.empty(),
                ErrorCode::kNotFound,
                "data '{}': must hold pictures in image/ and label/ of a known part",
                folder.string());
  return out;
}

const std::vector<Part> kRossaParts = {{"train_manual", Role::kTrain},
                                       {"train_sam", Role::kTrain},
                                       {"val", Role::kVal},
                                       {"test", Role::kSealed}};
const std::vector<Part> kFolderParts = {
    {"", Role::kTrain}, {"train", Role::kTrain}, {"val", Role::kVal}, {"test", Role::kSealed}};

}  // namespace

Listing list_pairs(const PairFolders& folders) {
  Listing out;
  const auto images = pictures_in(folders.images, out.problems);
  auto masks = pictures_in(folders.masks, out.problems);
  for (const auto& [name, image] : images) {
    const auto mask = masks.find(name + folders.mask_ending);
    if (mask == masks.end()) {
      out.problems.push_back(
          format("'{}': must have a label of the same name{}",
                 image.string(),
                 folders.mask_ending.empty() ? "" : " and '" + folders.mask_ending + "'"));
      continue;
    }
    Sample sample;
    sample.id = folders.subset.empty() ? name : folders.subset + "/" + name;
    sample.subset = folders.subset;
    sample.sequence = sample.id;
    if (auto frame = split_frame_name(name)) {
      sample.sequence = std::move(frame->sequence);
      sample.frame = frame->frame;
    }
    sample.image = image;
    sample.mask = mask->second;
    sample.classes = empty_class_map();
    out.samples.push_back(std::move(sample));
    masks.erase(mask);
  }
  for (const auto& [name, mask] : masks) {
    out.problems.push_back(format("'{}': must have an image of the same name", mask.string()));
  }
  return out;
}

DatasetReader rossa_reader() {
  return {
      .name = "rossa",
      .licence = "MIT",
      .summary = "ROSSA, 918 OCTA images with vessel masks (bright, about 3 px wide)",
      .layout = "train_manual/, train_sam/, val/, each with image/N.png and label/N.png (0, 255)",
      .recognises =
          [](const fs::path& folder) {
            return has_pairs(folder / "train_manual") || has_pairs(folder / "train_sam");
          },
      .list =
          [](const fs::path& folder) {
            Listing out = list_parts(folder, kRossaParts);
            for (auto& sample : out.samples) {
              sample.dataset = "ROSSA";
              sample.bright_object = true;
              sample.classes = binary_class_map(WireClass::kVessel);
            }
            return out;
          }};
}

DatasetReader folder_reader() {
  return {.name = "folder",
          .licence = "the owner's",
          .summary = "Pictures of your own with masks of equal names",
          .layout = "image/ and label/ with equal file names, directly or in train/, val/, test/",
          .recognises =
              [](const fs::path& folder) {
                return std::ranges::any_of(kFolderParts, [&](const Part& part) {
                  return has_pairs(folder / part.folder);
                });
              },
          .list =
              [](const fs::path& folder) {
                Listing out = list_parts(folder, kFolderParts);
                for (auto& sample : out.samples) sample.dataset = folder_name(folder);
                return out;
              }};
}

}  // namespace voxloom::dataset
