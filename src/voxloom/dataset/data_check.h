#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "voxloom/core/cancel.h"
#include "voxloom/core/progress.h"
#include "voxloom/dataset/guard.h"
#include "voxloom/dataset/sealed.h"

namespace voxloom::dataset {

/// A sample whose files can't be used: missing, unreadable, changed since the manifest was made, a
/// mask of another size, ids that the class map does not know.
struct FileProblem {
  size_t sample = 0;
  std::string text;
};

/// Two sequences of different roles that show nearly the same pictures. A picture without a
/// sequence stands for itself.
struct NearDuplicate {
  size_t a = 0, b = 0;  ///< The closest pair of pictures, a of the role that comes first.
  int distance = 0;     ///< Of their hashes, in bits.
  int64_t pairs = 0;    ///< How many pairs of pictures of these two are as near.
};

/// What `voxloom data check` found.
struct DataCheck {
  std::vector<Sample> samples;  ///< Of all manifests, in their order.
  std::map<Role, int64_t> roles;
  GuardReport rules;  ///< R1 to R7 and R10, R9 for files that are sealed elsewhere.
  std::vector<FileProblem> problems;
  /// The closest first; one violation in `rules` stands for all. Pairs of two simulations are in a
  /// note instead.
  std::vector<NearDuplicate> near_duplicates;

  [[nodiscard]] bool good() const { return rules.violations.empty() && problems.empty(); }
};

/// Checks the samples of manifests together: reads every image and mask on all threads. Sealed ones
/// are opened too, to hash them; nothing of their content but the hash is kept.
/// Throws what read_manifest() throws.
[[nodiscard]] DataCheck check_data(const std::vector<std::filesystem::path>& manifests,
                                   const SealedRegister& sealed,
                                   Completeness completeness,
                                   Progress& progress,
                                   const CancelToken& stop);

/// The samples without the near duplicates: of each pair the sequence goes whose role comes first
/// (train, finetune, val, val_extra, sealed), so that what measures stays as it is.
[[nodiscard]] std::vector<Sample> without_near_duplicates(const DataCheck& check);

}  // namespace voxloom::dataset
