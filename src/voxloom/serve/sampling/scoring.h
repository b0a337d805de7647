#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "voxloom/core/cancel.h"
#include "voxloom/core/progress.h"
#include "voxloom/serve/datastore/datastore.h"

namespace voxloom::serve {

/// Mean Dice over the values of `truth`; null for labels on different grids. Throws what reading
/// the files throws.
[[nodiscard]] Json dice_of_files(const std::filesystem::path& truth,
                                 const std::filesystem::path& predicted);

/// The methods of `POST /scoring/{method}`: `dice`. Thread-safe; label files are read again only
/// when they changed.
class ScoringMethods {
 public:
  /// `scoring` of `/info`.
  [[nodiscard]] static Json info();

  /// Runs a method over all images and returns `{image id: score}`.
  ///
  /// `dice`: overlap of the `original` label with the `final` one, for every image that has both:
  /// the mean over the values of the final label (1 for two empty ones), also written to the
  /// image's info as `dice` where it changed. An image whose labels can't be read or lie on
  /// different grids has null.
  /// Throws kNotFound naming the methods, kCancelled.
  [[nodiscard]] Json run(std::string_view method,
                         Datastore& store,
                         Progress& progress,
                         const CancelToken& stop);

 private:
  struct Known {
    std::string stamps;  ///< Of both files.
    Json score;
  };
  [[nodiscard]] Json dice_of(Datastore& store, const std::string& id);

  std::mutex mutex_;
  std::map<std::string, Known> known_;  ///< By image id.
};

}  // namespace voxloom::serve
