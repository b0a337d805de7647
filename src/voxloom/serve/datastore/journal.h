#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "voxloom/serve/datastore/index.h"

namespace voxloom::serve {

/// One acknowledged change. A record holds the whole new state of what it changes, so applying
/// records twice does no harm.
struct Change {
  /// Append only: the names are in files ("image", "drop_image", "label", "drop_label").
  enum class Kind { kImage, kDropImage, kLabel, kDropLabel };

  Kind kind = Kind::kImage;
  std::string id, tag;
  std::string ext;       ///< Of the image, or of the label.
  std::string location;  ///< Of the image (of the label's image too).
  Json info = Json::object();
  FileStamp stamp;        ///< Of the file that belongs to the change.
  std::string temporary;  ///< Its hidden name before it is renamed into place; empty: no new file.
};

/// "<crc32 of the rest, 8 hex digits> <JSON>\n".
[[nodiscard]] std::string journal_line(const Change& change);
/// The line of a JSON text.
[[nodiscard]] std::string with_checksum(std::string_view text);

/// What a journal held.
struct JournalReport {
  size_t changes = 0, damaged = 0;
  bool cut = false;  ///< Its last line has no end: a write that was never acknowledged.
};

/// Calls `apply` for each intact record in order. Zeros at the end are room for further ones.
JournalReport read_journal(std::string_view text, const std::function<void(Change)>& apply);

/// Applies one record to a table. Images that were dropped keep an entry for their labels' sake
/// (its info and stamp are cleared); what is really there is decided by the files.
void apply_change(std::map<std::string, StoredImage, std::less<>>& images, const Change& change);

/// A file that lines are added to. Zeros are written ahead of them, so that a line's sync is that
/// of some bytes in a file that does not grow: the file system has nothing to note down about it.
/// Not thread-safe.
class Journal {
 public:
  Journal() = default;
  /// Creates the file, durably.
  explicit Journal(const std::filesystem::path& path);
  ~Journal();
  Journal(Journal&& other) noexcept;
  Journal& operator=(Journal&& other) noexcept;

  /// On return the line is on disk. On failure (kUnavailable) it does not count.
  void append(std::string_view line);
  [[nodiscard]] uint64_t bytes() const { return bytes_; }
  [[nodiscard]] bool is_open() const { return fd_ >= 0; }

 private:
  void reserve();

  int fd_ = -1;
  uint64_t bytes_ = 0;
  uint64_t reserved_ = 0;  ///< The file's size: lines, then zeros.
};

}  // namespace voxloom::serve
