#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "voxloom/serve/datastore/datastore.h"
#include "voxloom/serve/datastore/durable.h"

namespace voxloom::serve {

struct StoredLabel {
  std::string ext;
  Json info = Json::object();
  FileStamp stamp;
  bool operator==(const StoredLabel&) const = default;
};

/// What the folder datastore knows about one image. Never changed once it is shared.
struct StoredImage {
  std::string id, ext;   ///< No ext: a DICOM series.
  std::string location;  ///< Of the file or the series' folder, relative to the images folder.
  Json info = Json::object();
  FileStamp stamp;                                         ///< Of a series: of its files together.
  std::map<std::string, StoredLabel, std::less<>> labels;  ///< By tag.

  [[nodiscard]] bool is_series() const { return ext.empty(); }
  /// Two series may lie in one folder.
  [[nodiscard]] std::string place() const { return is_series() ? location + '\n' + id : location; }
  [[nodiscard]] ImageRecord record() const;
  bool operator==(const StoredImage&) const = default;
};

using ImagePtr = std::shared_ptr<const StoredImage>;

/// An immutable list of images sorted by id, with its statistics. A changed list shares almost
/// everything with the one before: a change costs some hundred pointers whatever the length.
class IndexView {
 public:
  IndexView() = default;
  /// From images sorted by id, each once.
  static IndexView build(const std::vector<ImagePtr>& sorted, uint64_t revision);

  /// This list with `image` put in or replaced; the revision grows by one.
  [[nodiscard]] IndexView with(ImagePtr image) const;
  [[nodiscard]] IndexView without(std::string_view id) const;

  /// nullptr when there is none.
  [[nodiscard]] ImagePtr find(std::string_view id) const;
  void for_each(const std::function<void(const ImagePtr&)>& fn) const;
  [[nodiscard]] size_t size() const { return static_cast<size_t>(total_); }
  [[nodiscard]] uint64_t revision() const { return revision_; }
  [[nodiscard]] DatastoreStats stats() const;

 private:
  using Block = std::vector<ImagePtr>;

  [[nodiscard]] size_t block_of(std::string_view id) const;
  void count(const StoredImage& image, int64_t sign);

  std::vector<std::shared_ptr<const Block>> blocks_;  ///< None empty.
  std::map<std::string, int64_t> tags_;
  int64_t total_ = 0, completed_ = 0;
  uint64_t revision_ = 0;
};

}  // namespace voxloom::serve
