#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "voxloom/serve/datastore/dicom_folders.h"
#include "voxloom/serve/datastore/durable.h"

namespace voxloom::serve {

/// The folders of a datastore. `root` is canonical.
struct StudyFolders {
  std::filesystem::path root, images, labels;
};

/// An image file, or a DICOM series (no ext, a uid).
struct FoundImage {
  std::string location;  ///< Relative to the images folder; of a series: its folder.
  std::string stem, ext;
  FileStamp stamp;
  FolderSeries series;

  [[nodiscard]] std::string place() const {
    return ext.empty() ? location + '\n' + series.uid : location;
  }
};

struct FoundLabel {
  std::string tag, file_name;
  FileStamp stamp;
};

/// What lies in a studies folder.
struct Scan {
  std::vector<FoundImage> images;              ///< By location.
  std::vector<FoundLabel> labels;              ///< By tag, then name.
  std::vector<std::filesystem::path> folders;  ///< All that were looked into: to be watched.
  std::vector<std::string> pending;            ///< Folders whose DICOM headers are not read yet.
};

enum class DicomHeaders { kRead, kKnownOnly };

/// Walks the studies folder. Passed over: hidden files and folders, the labels folder, links to
/// folders, links that lead out of the studies folder, names that are no UTF-8.
[[nodiscard]] Scan scan_studies(const StudyFolders& studies,
                                DicomFolders& dicom,
                                DicomHeaders headers);

}  // namespace voxloom::serve
