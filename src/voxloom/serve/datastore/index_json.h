#pragma once

#include <map>
#include <string>
#include <string_view>

#include "voxloom/serve/datastore/index.h"

namespace voxloom::serve {

/// The index as two files keep it.
///
/// `datastore_v2.json` is MONAI Label's: `name`, `description`, `images_dir`, `labels_dir` (a
/// `label_dir` is read too) and `objects`, id -> {image: {ext, info}, labels: {tag: {ext, info}}}.
/// An image that does not lie at `<images_dir>/<id><ext>` says where in its info: `path` is the
/// folder, `name` the file.
///
/// `.voxloom/index.json` is ours, and the one that counts: the same and, for each entry, location
/// and file stamps; images whose file is gone (they come back with their labels); the number of
/// the first journal that is not contained; the stamps that datastore_v2.json may have unless
/// another program wrote it.
struct IndexDocument {
  std::string name = "new-dataset", description = "New Dataset";
  std::string images_dir = ".", labels_dir = "labels";
  Json further = Json::object();  ///< Other members of datastore_v2.json, kept as they are.
  std::map<std::string, StoredImage, std::less<>> images;

  // Of .voxloom/index.json only:
  uint64_t first_journal = 0;
  FileStamp exported, exported_before;
};

/// Reads either file. Entries of a wrong shape are passed over (`skipped` counts them); a text
/// that is no JSON object throws kDataCorrupt.
[[nodiscard]] IndexDocument read_index(std::string_view text, size_t* skipped = nullptr);

/// The head of datastore_v2.json with empty `objects`.
[[nodiscard]] Json document_head(const IndexDocument& document);
/// One member of `objects`.
[[nodiscard]] Json document_object(const StoredImage& image);

/// One image as .voxloom/index.json and the journal keep it.
[[nodiscard]] Json state_object(const StoredImage& image);
[[nodiscard]] Json to_json(const FileStamp& stamp);
[[nodiscard]] FileStamp stamp_from_json(const Json& value);

/// Sets or clears the info's `path` and `name` after the image's location.
void note_location(StoredImage& image);

}  // namespace voxloom::serve
