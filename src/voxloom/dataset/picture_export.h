#pragma once

#include <filesystem>
#include <vector>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/cancel.h"
#include "voxloom/core/progress.h"
#include "voxloom/dataset/readers.h"

namespace voxloom::dataset {

/// Writes what a data set does not hold as picture files into a folder beside the manifest:
/// "set.jsonl" gets "set_files/". The folder appears whole or not at all: files go to a temporary
/// folder, commit() renames it. Only its owner may enter the part kSealedFolder.
///
///     PictureExport pictures("set.jsonl", Overwrite::kRefuse);
///     pictures.write(listing, progress, stop);
///     Preparation made = prepare(std::move(listing), progress, stop);
///     pictures.commit(made.samples);
class PictureExport {
 public:
  /// Throws kAlreadyExists when the folder is there and may not be replaced, and when what lies
  /// there is no folder that an export made.
  PictureExport(const std::filesystem::path& manifest, Overwrite overwrite);
  ~PictureExport();
  PictureExport(const PictureExport&) = delete;
  PictureExport& operator=(const PictureExport&) = delete;

  /// Writes all of `listing.made`, on all threads, and sets the samples' paths; what can't be made
  /// becomes a problem. Without any the folder is not made.
  void write(Listing& listing, Progress& progress, const CancelToken& stop);

  /// Gives the folder its name, in place of an older one, and the samples their last paths.
  void commit(std::vector<Sample>& samples);

  /// Where the files are after commit().
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path folder_, private_, staging_;
};

}  // namespace voxloom::dataset
