#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "voxloom/serve/datastore/datastore.h"

namespace voxloom::serve {

/// Gives each unlabelled image a key, "img_0000", "img_0001", ...: in datastore order at first,
/// later ones behind. A key stays with its image id for as long as the table lives, also while the
/// image is away. Thread-safe.
class ImageKeys {
 public:
  struct Entry {
    std::string key;
    ImageRecord image;
  };

  /// The unlabelled images with their keys, sorted by key.
  [[nodiscard]] std::vector<Entry> unlabelled(const Datastore& store);
  /// The image id of a key that was given out.
  [[nodiscard]] std::optional<std::string> id_of(std::string_view key) const;

  /// Whether `name` has the form of a key.
  [[nodiscard]] static bool is_key(std::string_view name);

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> ids_;                        ///< By number.
  std::map<std::string, size_t, std::less<>> numbers_;  ///< By id.
};

/// What a client shows for an image: its file name.
[[nodiscard]] std::string display_name(const ImageRecord& image);

}  // namespace voxloom::serve
