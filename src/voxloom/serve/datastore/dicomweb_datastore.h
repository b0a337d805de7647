#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "voxloom/io/dicomweb_client.h"
#include "voxloom/serve/datastore/datastore.h"
#include "voxloom/serve/datastore/dicomweb_catalog.h"
#include "voxloom/serve/datastore/fetch_cache.h"
#include "voxloom/serve/datastore/local_labels.h"

namespace voxloom::serve {

struct DicomwebStoreOptions {
  io::DicomwebOptions server;
  /// A series is an image when it matches one of these (parse_search_filters).
  std::vector<io::WebFields> filters = {{{"Modality", "CT"}}, {{"Modality", "MR"}}};
  std::filesystem::path cache;                    ///< Series, segmentations, local labels.
  uint64_t cache_bytes = uint64_t{20} << 30;      ///< Of retrieved series.
  std::chrono::seconds keep_recent{600};          ///< A series handed out this recently stays.
  std::chrono::milliseconds refresh_every{5000};  ///< The list; > 0.
  std::string name = "dicomweb", description = "Images of a DICOMweb server";
};

/// The image series of a DICOMweb server.
///
/// An image's id is its SeriesInstanceUID. It is completed when a DICOM segmentation on the server
/// refers to it: a label with tag `final` is converted to one and stored there, and acknowledged
/// once the server has said that it did. The newest segmentation is the label; older ones stay on
/// the server. Labels of other tags stay on this machine (LocalLabels, below the cache folder).
///
/// The list is asked for again every few seconds in the background; our own saves show at once.
/// While the server is away, what was listed is still listed and what was retrieved is still
/// there; all else throws kUnavailable until it is back. Before the first answer, so do the reads.
///
/// A patient's data is in the records and in messages; it is in no log line.
class DicomwebDatastore : public Datastore {
 public:
  /// Asks the server once; one that does not answer is no error here. Throws kInvalidArgument for
  /// bad options, kUnavailable when the cache folder can't be used.
  explicit DicomwebDatastore(DicomwebStoreOptions options);
  ~DicomwebDatastore() override;
  DicomwebDatastore(const DicomwebDatastore&) = delete;
  DicomwebDatastore& operator=(const DicomwebDatastore&) = delete;

  [[nodiscard]] DatastoreStats stats() const override;
  [[nodiscard]] std::vector<std::string> image_ids() const override;
  [[nodiscard]] std::optional<ImageRecord> find(std::string_view id) const override;
  [[nodiscard]] Json document() const override;
  [[nodiscard]] uint64_t revision() const override;
  [[nodiscard]] std::filesystem::path image_path(std::string_view id,
                                                 const CancelToken& stop) override;
  [[nodiscard]] std::filesystem::path label_path(std::string_view id,
                                                 std::string_view tag) override;
  /// Stores one DICOM file on the server; its series is the image (`id` is empty or the same).
  std::string add_image(const std::filesystem::path& file,
                        std::string_view id,
                        std::string_view file_name,
                        const Json& info) override;
  /// kUnsupported: what the server holds is its own.
  void remove_image(std::string_view id) override;
  void update_image_info(std::string_view id, const Json& info) override;
  void save_label(std::string_view id,
                  std::string_view tag,
                  const std::filesystem::path& file,
                  std::string_view file_name,
                  const Json& info) override;
  /// kUnsupported for `final`.
  void remove_label(std::string_view id, std::string_view tag) override;
  void update_label_info(std::string_view id, std::string_view tag, const Json& info) override;

  /// Asks the server for its list now. Throws as DicomwebClient does.
  void refresh();
  /// Whether the last question was answered.
  [[nodiscard]] bool connected() const;
  [[nodiscard]] const std::shared_ptr<const io::DicomwebClient>& client() const { return client_; }

 private:
  using CatalogPointer = std::shared_ptr<const RemoteCatalog>;
  struct Own {
    RemoteSegmentation segmentation;
    std::chrono::steady_clock::time_point stored;
  };
  void run();
  [[nodiscard]] CatalogPointer catalog() const;
  [[nodiscard]] RemoteSeries series(std::string_view id) const;
  [[nodiscard]] const RemoteSegmentation* newest(const RemoteCatalog& catalog,
                                                 std::string_view id) const;
  [[nodiscard]] ImageRecord record(const RemoteCatalog& catalog, const RemoteSeries& s) const;
  [[nodiscard]] Json final_info(std::string_view id, const RemoteSegmentation& s) const;
  void save_final(const RemoteSeries& s, const std::filesystem::path& file, const Json& info);
  void check_label(const RemoteSeries& s, const std::filesystem::path& file);
  std::filesystem::path segmentation_path(const std::string& id, const RemoteSegmentation& s);
  void show(RemoteCatalog catalog);

  DicomwebStoreOptions options_;
  std::shared_ptr<const io::DicomwebClient> client_;
  LocalLabels local_;
  FetchCache images_, segmentations_;
  CancelToken closing_;

  std::mutex reading_;  // Held while the server is asked; taken before mutex_.
  CatalogReader reader_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  CatalogPointer catalog_;  // Null before the first answer.
  std::string failure_;     // Of the last question; empty: it was answered.
  std::vector<Own> own_;    // Stored by us, perhaps not listed by the server yet.
  bool asked_ = false;      // Ask at once.
  std::atomic<uint64_t> revision_{1};
  std::thread thread_;
};

}  // namespace voxloom::serve
