#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "voxloom/serve/datastore/durable.h"

namespace voxloom::serve {

/// One image series of a folder. Nothing about the patient.
struct FolderSeries {
  std::string uid, study_uid, modality;
  bool operator==(const FolderSeries&) const = default;
};

/// Whether a file of this name may be DICOM: by its extension, or because it has none (the last
/// part of a UID is none).
[[nodiscard]] bool may_be_dicom(std::string_view file_name);

/// Which series lie in which folder, remembered by the folder's files (names, sizes, times), so
/// that their headers are read once. In builds without DICOM no folder holds a series.
/// Not thread-safe.
class DicomFolders {
 public:
  /// The series of a folder whose files have this stamp, if they were read already.
  [[nodiscard]] const std::vector<FolderSeries>* find(const std::string& folder,
                                                      const FileStamp& stamp) const;
  /// Reads the headers of `files` (that may be DICOM; others are passed over) and remembers.
  const std::vector<FolderSeries>& read(const std::string& folder,
                                        const FileStamp& stamp,
                                        const std::vector<std::filesystem::path>& files);

  /// To and from a JSON text. A text of another shape is like an empty one.
  [[nodiscard]] std::string to_text() const;
  void from_text(std::string_view text);
  /// Whether something was read since the last to_text().
  [[nodiscard]] bool changed() const { return changed_; }

 private:
  struct Entry {
    FileStamp stamp;
    std::vector<FolderSeries> series;
  };
  std::map<std::string, Entry, std::less<>> entries_;
  mutable bool changed_ = false;
};

/// The files of a series in a folder and its sub-folders.
[[nodiscard]] std::vector<std::filesystem::path> series_files(const std::filesystem::path& folder,
                                                              const std::string& uid);

}  // namespace voxloom::serve
