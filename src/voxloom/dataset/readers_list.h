#pragma once

#include <filesystem>
#include <string>

#include "voxloom/dataset/readers.h"

namespace voxloom::dataset {

DatasetReader arcade_reader();
DatasetReader cathaction_reader();
DatasetReader coco_reader();
DatasetReader fga_net_reader();
DatasetReader folder_reader();
DatasetReader guide3d_reader();
DatasetReader mosxav_reader();
DatasetReader rossa_reader();
DatasetReader weiss_reader();

/// Where images and their masks lie.
struct PairFolders {
  std::filesystem::path images, masks;
  std::string subset;
  std::string mask_ending{};  ///< What a mask's name has behind its image's: "_mask".
};

/// Pairs of equal name, in natural order of name (2 before 10). Sets image, mask, subset, id
/// ("subset/name") and, from the name, sequence and frame: "run3_0012" is frame 12 of sequence
/// "run3", in whatever subset; any other name is a sequence of its own. Files without a partner
/// become problems.
Listing list_pairs(const PairFolders& folders);

/// Adds a note when a part holds another number of `what` than the published set.
void note_count(
    Listing& listing, const std::string& part, const char* what, int64_t found, int64_t published);

}  // namespace voxloom::dataset
