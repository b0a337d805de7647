#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

namespace voxloom {

/// What to do when an output exists already.
enum class Overwrite { kRefuse, kReplace };

/// Whether commit() waits until the disk has the bytes. kNo is for files that nobody needs after a
/// crash, such as an answer on its way to a client.
enum class Sync { kYes, kNo };

/// A file that appears whole or not at all: bytes go to a temporary name in the same folder;
/// commit() syncs and renames. Without commit() the destructor removes the temporary file.
///
///     AtomicFile file("label.nii.gz", Overwrite::kRefuse);
///     file.write(bytes);
///     file.commit();
class AtomicFile {
 public:
  /// Throws kAlreadyExists ("use --force to overwrite") when `path` exists and may not be
  /// replaced, kNotFound when its folder does not exist, kUnavailable when it can't be created.
  AtomicFile(const std::filesystem::path& path, Overwrite overwrite, Sync sync = Sync::kYes);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Throws kUnavailable naming the file when the disk is full or fails.
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);

  /// For libraries that write by name: where the bytes have to go before commit().
  [[nodiscard]] const std::filesystem::path& temporary_path() const { return temporary_; }

  void commit();

 private:
  std::filesystem::path path_, temporary_;
  Overwrite overwrite_;
  Sync sync_;
  int fd_ = -1;
  bool committed_ = false;
};

/// The whole file as bytes. Throws kNotFound, or kUnsupported above `max_bytes`.
[[nodiscard]] std::string read_text_file(const std::filesystem::path& path,
                                         size_t max_bytes = size_t{64} << 20);

/// Makes the folder that a command writes to, with those above it. Throws kUnavailable naming it.
void make_output_folder(const std::filesystem::path& folder);

/// Throws kAlreadyExists when `path` exists and may not be replaced: call before long work.
void check_output(const std::filesystem::path& path, Overwrite overwrite);

}  // namespace voxloom
