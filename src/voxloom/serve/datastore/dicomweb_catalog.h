#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "voxloom/core/cancel.h"
#include "voxloom/io/dicomweb_client.h"
#include "voxloom/serve/datastore/datastore.h"

namespace voxloom::serve {

/// An image series as a DICOMweb server lists it.
struct RemoteSeries {
  std::string uid, study_uid;
  std::string modality, study_date, study_time, patient_id, retrieve_url;
  int64_t instances = 0;  ///< 0: the server does not say.
  bool operator==(const RemoteSeries&) const = default;
};

/// A DICOM segmentation of an image series.
struct RemoteSegmentation {
  std::string image_series_uid;
  std::string study_uid, series_uid, sop_uid;
  std::string made;                 ///< "YYYYMMDDHHMMSS.ffffff": the greatest is the newest.
  Json label_info = Json::array();  ///< [{"name": ..., "idx": ...}]
  bool operator==(const RemoteSegmentation&) const = default;
};

struct RemoteCatalog {
  std::map<std::string, RemoteSeries, std::less<>> series;  ///< By UID.
  /// By the image series' UID, oldest first; also of series that are not listed above.
  std::map<std::string, std::vector<RemoteSegmentation>, std::less<>> segmentations;
  bool operator==(const RemoteCatalog&) const = default;

  /// Adds one in its place; one that is there already is left as it is.
  void add(const RemoteSegmentation& segmentation);
};

/// Asks the server for its catalog. Segmentations never change, so the header of each is asked for
/// once. One caller at a time.
class CatalogReader {
 public:
  /// A series is an image when it matches one of the filters (all pairs of it).
  CatalogReader(std::shared_ptr<const io::DicomwebClient> client,
                std::vector<io::WebFields> filters);

  /// Throws as DicomwebClient does.
  [[nodiscard]] RemoteCatalog read(const CancelToken& stop);

 private:
  void read_images(RemoteCatalog& out, const CancelToken& stop) const;
  void read_segmentations(RemoteCatalog& out, const CancelToken& stop);

  std::shared_ptr<const io::DicomwebClient> client_;
  std::vector<io::WebFields> filters_;
  /// By "series/number of instances": a series of segmentations may grow.
  std::map<std::string, std::vector<RemoteSegmentation>> known_;
};

/// Filters from JSON, as MONAI Label takes one: {"Modality": "CT"}; also a list of them, and a list
/// as a value: {"Modality": ["CT", "MR"]} is two. Throws kInvalidArgument.
[[nodiscard]] std::vector<io::WebFields> parse_search_filters(std::string_view json);

}  // namespace voxloom::serve
