#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace voxloom::serve {

/// What tells one content of a file from another without reading it.
struct FileStamp {
  int64_t size = 0, mtime_ns = 0;
  uint64_t inode = 0;
  bool operator==(const FileStamp&) const = default;
  [[nodiscard]] bool known() const { return inode != 0; }
};

/// Zeros when there is no such file. Links are followed.
[[nodiscard]] FileStamp stamp_of(const std::filesystem::path& path);

/// Throw kUnavailable naming what failed, never the path (it may name a patient).
void sync_file(const std::filesystem::path& path);
void sync_folder(const std::filesystem::path& folder);
/// Makes one folder, durably; nothing when it is there.
void make_folder(const std::filesystem::path& folder);
/// Replaces `to`; its folder is not synced.
void rename_file(const std::filesystem::path& from, const std::filesystem::path& to);
/// Replaces `to`; the folder is synced.
void rename_durably(const std::filesystem::path& from, const std::filesystem::path& to);
/// Removes a file, durably; nothing when there is none.
void remove_durably(const std::filesystem::path& path);
/// Writes and syncs a file in place.
void write_synced(const std::filesystem::path& path, std::string_view content);
/// Writes a whole file, durably: a kill leaves the old one or the new one.
void replace_file(const std::filesystem::path& path, std::string_view content);

/// Keeps what lies at a path from being freed when it is replaced, until this goes: freeing a file
/// of some megabytes takes a good part of a save's time. Nothing is held where there is no file.
class HeldFile {
 public:
  explicit HeldFile(const std::filesystem::path& path);
  ~HeldFile();
  HeldFile(HeldFile&& other) noexcept;
  HeldFile& operator=(HeldFile&& other) noexcept;

 private:
  int fd_ = -1;
};

/// A file under a temporary, hidden name; removed unless it was renamed away.
class TemporaryFile {
 public:
  /// Nothing is made yet. The name ends with `ext`.
  TemporaryFile(const std::filesystem::path& folder, std::string_view ext);
  ~TemporaryFile();
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  /// Moves `source` here: by name where it lies on the same disk, else by copying.
  void take(const std::filesystem::path& source);
  /// Whether a file name is one of these, left behind by a process that was killed.
  [[nodiscard]] static bool is_name(std::string_view file_name);

 private:
  std::filesystem::path path_;
};

}  // namespace voxloom::serve
