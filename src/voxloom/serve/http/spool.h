#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "voxloom/serve/http/message.h"

namespace voxloom::serve::http {

/// Makes the folder (mode 0700) and removes what an earlier run left in it: files named as
/// SpoolFile names them, nothing else. Throws kUnavailable.
void prepare_spool(const std::filesystem::path& folder);

/// A file being uploaded. Removed when the object goes, unless release() was called.
class SpoolFile {
 public:
  enum class Fate {
    kDropped,  ///< Looked at and removed.
    kKept,     ///< Stored and synced: written to the disk as it arrives.
  };

  /// A new file of a random name, mode 0600. Its ending is that of `filename` where that is plain
  /// (".nii.gz", ".nrrd"), since readers of images go by it. Throws kUnavailable.
  SpoolFile(const std::filesystem::path& folder,
            std::string_view filename,
            Fate fate = Fate::kDropped);
  ~SpoolFile();
  SpoolFile(const SpoolFile&) = delete;
  SpoolFile& operator=(const SpoolFile&) = delete;

  /// Throws kUnavailable, when the disk is full.
  void write(std::string_view bytes);
  [[nodiscard]] uint64_t bytes() const { return bytes_; }
  /// Closes the file; it is the caller's now.
  [[nodiscard]] std::filesystem::path release();

 private:
  void start_writing(uint64_t end);

  Fate fate_;
  std::filesystem::path path_;
  int fd_ = -1;
  uint64_t bytes_ = 0;
  uint64_t on_their_way_ = 0;  ///< Bytes that the disk was told to write.
};

/// Removes the files that are still where they were uploaded to. Never throws.
void remove_uploads(const std::vector<UploadedFile>& files) noexcept;

}  // namespace voxloom::serve::http
