#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "voxloom/core/cancel.h"
#include "voxloom/core/progress.h"
#include "voxloom/dataset/readers.h"

namespace voxloom::dataset {

/// Pixels and masks of one role.
struct RoleCounts {
  int64_t samples = 0, sequences = 0;
  int64_t unannotated = 0;            ///< Without a mask file.
  int64_t empty_masks = 0;            ///< No pixel of an object.
  std::array<int64_t, 256> pixels{};  ///< By WireClass value; not counted for sealed samples.
};

struct Preparation {
  std::vector<Sample> samples;
  std::map<Role, RoleCounts> roles;
  std::vector<std::string> notes;  ///< The listing's, and labelled pixels that differ.
  std::vector<std::string> remarks;
};

/// Reads every image and mask of a listing, on all threads: fills in the hashes, checks that both
/// can be decoded and are of one size, and that the class map knows every id. Samples whose class
/// map is all unknown get one from the ids in use: {0, 255} is background and guidewire, otherwise
/// the ids must be WireClass values.
///
/// Pictures that are to be made must have been (PictureExport).
///
/// Throws kDataCorrupt listing every problem, those of the listing included.
[[nodiscard]] Preparation prepare(Listing listing, Progress& progress, const CancelToken& stop);

/// Gives `share` of the sequences that are kTrain to kVal, at least one and never all, by a seeded
/// draw: frames of a sequence stay together. Throws kInvalidArgument for a share outside (0, 1) or
/// fewer than two sequences.
void split_train(std::vector<Sample>& samples, double share, uint64_t seed);

}  // namespace voxloom::dataset
