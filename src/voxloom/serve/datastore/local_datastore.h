#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "voxloom/serve/datastore/checksums.h"
#include "voxloom/serve/datastore/datastore.h"
#include "voxloom/serve/datastore/dicom_folders.h"
#include "voxloom/serve/datastore/durable.h"
#include "voxloom/core/file_lock.h"
#include "voxloom/serve/datastore/folder_watch.h"
#include "voxloom/serve/datastore/index.h"
#include "voxloom/serve/datastore/index_json.h"
#include "voxloom/serve/datastore/journal.h"
#include "voxloom/serve/datastore/label_check.h"
#include "voxloom/serve/datastore/reconcile.h"
#include "voxloom/serve/datastore/scan.h"

namespace voxloom::serve {

struct LocalDatastoreOptions {
  std::filesystem::path folder;  ///< The studies folder; must exist.
  bool read_only = false;        ///< Nothing is written; set by itself where the disk forbids it.
  bool watch = true;             ///< Follow what other programs do in the folder.
  /// How soon after a change datastore_v2.json is written anew.
  std::chrono::milliseconds export_delay{1000};
  /// How often to look where changes can't be told.
  std::chrono::milliseconds poll{2000};
};

/// A studies folder in MONAI Label's layout, shared with it or taken over from it:
///
///     <id>.nii.gz             images, also in sub-folders and as DICOM series
///     labels/<tag>/<id><ext>  labels
///     datastore_v2.json       MONAI Label's index, written anew soon after changes
///     .lock                   held around reading and writing it, as MONAI Label does
///     .voxloom/               our index, journal, checksums
///
/// A change is acknowledged once its file and its line in the journal are synced (its final name
/// may be synced later: the next start finds it by the hidden one in the journal); that costs the
/// same however many images there are. After a kill the journal is replayed and the files decide.
/// Reads use an immutable list and never wait for a disk. Info keys `path` and `name` of an image
/// that does not lie at `<id><ext>` say where it lies and can't be changed by update_image_info.
class LocalDatastore : public Datastore {
 public:
  /// Reads index, journal and folder. Throws kNotFound when there is no such folder, kUnavailable
  /// when another server has it. Whatever state the files are in, it starts.
  explicit LocalDatastore(LocalDatastoreOptions options);
  ~LocalDatastore() override;

  [[nodiscard]] DatastoreStats stats() const override;
  [[nodiscard]] std::vector<std::string> image_ids() const override;
  [[nodiscard]] std::optional<ImageRecord> find(std::string_view id) const override;
  [[nodiscard]] Json document() const override;
  [[nodiscard]] uint64_t revision() const override;

  [[nodiscard]] std::filesystem::path image_path(std::string_view id,
                                                 const CancelToken& stop) override;
  [[nodiscard]] std::filesystem::path label_path(std::string_view id,
                                                 std::string_view tag) override;

  std::string add_image(const std::filesystem::path& file,
                        std::string_view id,
                        std::string_view file_name,
                        const Json& info) override;
  /// Its labels stay on disk and belong to it again when it comes back.
  void remove_image(std::string_view id) override;
  void update_image_info(std::string_view id, const Json& info) override;

  void save_label(std::string_view id,
                  std::string_view tag,
                  const std::filesystem::path& file,
                  std::string_view file_name,
                  const Json& info) override;
  void remove_label(std::string_view id, std::string_view tag) override;
  void update_label_info(std::string_view id, std::string_view tag, const Json& info) override;

  /// "SHA256:<hex>" of the image's file, remembered while the file stays the same; empty for a
  /// DICOM series. Throws kNotFound.
  [[nodiscard]] std::string image_checksum(std::string_view id);
  /// The same if it is known already: never reads the file.
  [[nodiscard]] std::optional<std::string> known_checksum(std::string_view id) const;

  /// Looks at the whole folder now, DICOM headers included.
  void refresh();
  /// Writes both index files now if something changed. False when another program held the lock
  /// for too long: everything is in the journal still.
  bool flush();

  [[nodiscard]] bool read_only() const { return read_only_; }
  [[nodiscard]] const std::filesystem::path& folder() const { return studies_.root; }
  /// Bytes appended to journals since the start.
  [[nodiscard]] uint64_t journal_bytes() const { return journal_bytes_; }

 private:
  using ImageMap = std::map<std::string, StoredImage, std::less<>>;

  // Start (local_datastore_start.cpp).
  void load();
  std::optional<IndexDocument> load_own();
  std::optional<IndexDocument> load_shared(FileStamp& stamp);
  void replay(const IndexDocument& own, ImageMap& images);
  bool recover(const Change& change) const;
  void remove_leftovers() const;
  void set_aside(const std::filesystem::path& file) const;

  // The background (local_datastore_background.cpp).
  void run();
  [[nodiscard]] bool explains(const FolderWatch::Event& event);
  void reload(DicomHeaders headers);
  [[nodiscard]] bool is_foreign(const FileStamp& stamp) const;
  std::optional<IndexDocument> foreign_index();
  void rename_labels(const Reconciled& state);
  bool install(const Reconciled& state);
  bool export_index();
  void write_index(const IndexDocument& head,
                   const std::vector<ImagePtr>& present,
                   const std::vector<ImagePtr>& absent);
  [[nodiscard]] std::vector<ImagePtr> known_images() const;
  void schedule_export();

  // Changes (local_datastore_write.cpp).
  void check_writable() const;
  /// Journals a change that needs no file to be renamed, and publishes it.
  void commit(const Change& change);
  void append(const Change& change);
  /// Syncs a new file and its hidden name.
  static void sync_hidden(const std::filesystem::path& file);
  /// Journals a change and gives its file, synced under its hidden name, its place.
  void put_in_place(const Change& change,
                    const std::filesystem::path& from,
                    const std::filesystem::path& to);
  void publish_image(StoredImage image);
  [[nodiscard]] std::map<std::string, StoredLabel, std::less<>> labels_on_disk(
      const StoredImage& image) const;
  [[nodiscard]] ImagePtr must_find(std::string_view id) const;
  [[nodiscard]] LabelTarget label_target(const StoredImage& image);
  void publish(IndexView view);
  void publish_head();
  [[nodiscard]] std::shared_ptr<const IndexView> view() const;
  [[nodiscard]] std::filesystem::path own_folder() const { return studies_.root / ".voxloom"; }
  [[nodiscard]] std::filesystem::path shared_index() const {
    return studies_.root / "datastore_v2.json";
  }

  LocalDatastoreOptions options_;
  bool read_only_ = false;
  StudyFolders studies_;
  std::unique_ptr<FileLock> folder_lock_;  ///< Against a second server.

  mutable std::mutex view_mutex_;  ///< Held only to copy or set the pointer.
  std::shared_ptr<const IndexView> view_;
  std::shared_ptr<const Json> document_head_;

  /// Held by whoever changes something, its disk writes included; guards what follows.
  mutable std::mutex write_mutex_;
  IndexDocument head_;  ///< Without images.
  std::map<std::string, ImagePtr, std::less<>> absent_;
  std::map<std::string, std::string, std::less<>> ids_by_place_;
  std::set<std::string, std::less<>> touched_;  ///< Ids changed since the last export.
  Journal journal_;
  uint64_t generation_ = 0;  ///< The number of journal_.
  std::set<std::string> damaged_journals_;
  std::vector<HeldFile> replaced_;              ///< Old labels, for the thread to let go.
  std::set<std::filesystem::path> renamed_in_;  ///< Folders to sync before the journal goes.
  bool needs_export_ = false;
  std::chrono::steady_clock::time_point export_at_{};
  std::atomic<uint64_t> journal_bytes_{0};

  std::mutex reload_mutex_;  ///< One reload at a time; taken before write_mutex_; guards dicom_.
  DicomFolders dicom_;
  std::mutex export_mutex_;  ///< One export at a time; taken before write_mutex_.
  Checksums checksums_;

  struct KnownTarget {
    FileStamp stamp;
    LabelTarget target;
  };
  std::mutex targets_mutex_;
  std::map<std::string, KnownTarget, std::less<>> targets_;  ///< Grids of images, by place.

  FolderWatch watch_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace voxloom::serve
