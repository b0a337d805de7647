#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "voxloom/core/cancel.h"
#include "voxloom/io/dicomweb_http.h"
#include "voxloom/io/dicomweb_json.h"

namespace voxloom::io {

struct DicomwebOptions {
  WebOptions web;
  /// Path parts between the base and "studies", where a server has them ("qido", "rs/wado").
  std::string qido_prefix, wado_prefix, stow_prefix;
  size_t page_size = 500;                           ///< Asked for in one search.
  size_t max_results = 1'000'000;                   ///< Of one search, over all pages.
  uint64_t max_json_bytes = uint64_t{256} << 20;    ///< Of one answer.
  uint64_t max_instance_bytes = uint64_t{4} << 30;  ///< Of one object.
  uint64_t max_series_bytes = uint64_t{64} << 30;   ///< Of one series.
  uint64_t max_series_instances = 100'000;
};

/// What the server said to stored objects.
struct StowResult {
  std::vector<std::string> stored;  ///< SOPInstanceUIDs.
  struct Failure {
    std::string sop_instance_uid;
    int64_t reason = 0;  ///< FailureReason (PS3.3 C.14): 0xA7xx out of resources, ...
  };
  std::vector<Failure> failed;
};

/// A DICOMweb server: search (QIDO-RS), retrieve (WADO-RS), store (STOW-RS). Thread-safe.
///
/// Every call throws kUnavailable when the server does not answer or answers with an error of its
/// own (5xx, or 401 and 403: the credentials are ours), kNotFound for 404 and 410, kDataCorrupt for
/// an answer that is not what the standard says, kUnsupported beyond a limit and for 406 and 415,
/// kCancelled. Messages name the address, the status and what to do.
class DicomwebClient {
 public:
  /// Throws kInvalidArgument for an address that is none.
  explicit DicomwebClient(DicomwebOptions options);

  /// Studies or series that match every filter (keyword or tag, value), page by page.
  [[nodiscard]] std::vector<DicomJsonObject> search_studies(const WebFields& filters,
                                                            const CancelToken& stop) const;
  [[nodiscard]] std::vector<DicomJsonObject> search_series(const WebFields& filters,
                                                           const CancelToken& stop) const;
  [[nodiscard]] std::vector<DicomJsonObject> search_instances(const std::string& study,
                                                              const std::string& series,
                                                              const CancelToken& stop) const;

  /// Headers of one object, or of all of a series where `instance` is empty.
  [[nodiscard]] std::vector<DicomJsonObject> metadata(const std::string& study,
                                                      const std::string& series,
                                                      const std::string& instance,
                                                      const CancelToken& stop) const;

  /// Writes every object of a series into `folder` (which exists and is empty) as
  /// "<SOPInstanceUID>.dcm"; returns how many. Objects go from the wire to the disk.
  /// Throws kDataCorrupt when one is not DICOM or of another series, or when there is none.
  uint64_t retrieve_series(const std::string& study,
                           const std::string& series,
                           const std::filesystem::path& folder,
                           const CancelToken& stop) const;
  /// Writes one object to `file`.
  void retrieve_instance(const std::string& study,
                         const std::string& series,
                         const std::string& instance,
                         const std::filesystem::path& file,
                         const CancelToken& stop) const;

  /// Sends DICOM files. An object that the server refuses is in `failed`; throws when it refuses
  /// the request.
  StowResult store(const std::vector<std::filesystem::path>& files, const CancelToken& stop) const;

  enum class Service { kQido, kWado, kStow };
  /// A path below a service's prefix: "qido/studies/1.2".
  [[nodiscard]] std::string path(Service service, const std::string& below) const;
  [[nodiscard]] const WebClient& web() const { return web_; }

 private:
  std::vector<DicomJsonObject> search(const std::string& path,
                                      const WebFields& filters,
                                      const CancelToken& stop) const;
  std::vector<DicomJsonObject> get_json(const std::string& path,
                                        const WebFields& query,
                                        const CancelToken& stop) const;
  uint64_t retrieve(const std::string& path,
                    const std::filesystem::path& folder,
                    uint64_t max_objects,
                    const CancelToken& stop) const;

  DicomwebOptions options_;
  WebClient web_;
};

/// Throws kDataCorrupt unless `uid` is a DICOM UID: digits and dots, at most 64. A UID is part of
/// addresses and file names.
void check_uid(std::string_view uid, std::string_view what);

}  // namespace voxloom::io
