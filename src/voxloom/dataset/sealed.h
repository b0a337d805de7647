#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "voxloom/core/program_files.h"
#include "voxloom/dataset/guard.h"

namespace voxloom::dataset {

/// Which files are sealed (hold-out rules R8 to R10), written by `wire prepare` into the marker
/// `.sealed` of the data's folder, so that it moves with the data, and into the user's register, so
/// that copies elsewhere are recognised by their hash.
///
/// File format: JSON, UTF-8: {"voxloom_sealed": 1, "folders": [...], "files": [...], "sha256":
/// [...]}; the register's copy has "root" too. Paths are relative to the folder of the marker.
/// An empty marker seals all of its folder.
struct SealedRecord {
  std::filesystem::path root;        ///< Canonical.
  std::vector<std::string> folders;  ///< All that lies in them is sealed, whenever it came there.
  std::vector<std::string> files;    ///< In folders that hold other samples too.
  std::vector<std::string> sha256;   ///< Of the images.
};

inline constexpr const char* kSealedMarker = ".sealed";
/// What a record may cost before it is refused.
inline constexpr size_t kMaxSealedBytes = size_t{1} << 28;
inline constexpr size_t kMaxSealedEntries = size_t{1} << 22;

/// `root`: of a marker; empty: the text must name it. `where` is the file's name for messages.
/// Throws kDataCorrupt, kUnsupported for another version or above the limits.
[[nodiscard]] SealedRecord parse_sealed_record(std::string_view text,
                                               const std::filesystem::path& root,
                                               const std::string& where);
enum class RootEntry { kWithout, kWith };
[[nodiscard]] std::string format_sealed_record(const SealedRecord& record, RootEntry root);

/// The record of the sealed samples. A folder is sealed as a whole where no other sample lies in
/// it; files that another sample reads as well are not listed.
[[nodiscard]] SealedRecord sealed_record(const std::filesystem::path& root,
                                         const std::vector<Sample>& samples);

/// The marker above `file` that seals it. Symbolic links are followed first, so that no other name
/// leads around a marker. Throws what reading a damaged marker throws.
[[nodiscard]] std::optional<std::filesystem::path> sealed_by(const std::filesystem::path& file);

/// Throws kInvalidArgument when the sample's role is sealed or a marker seals one of its files.
void refuse_sealed_files(const Sample& sample);

/// The sealed sets that this user has prepared.
class SealedRegister {
 public:
  /// Reads every record of a folder; one that is not there is empty. A damaged record is an error.
  explicit SealedRegister(const std::filesystem::path& folder = user_data_folder() / "sealed");

  /// Samples of another role than sealed whose files lie in a sealed place or whose image is a copy
  /// of a sealed one (R9), and those made on a sealed background (R10). Opens no image: copies are
  /// found by the hashes that the samples have.
  [[nodiscard]] std::vector<Finding> check(const std::vector<Sample>& samples) const;

  /// Throws kInvalidArgument when one of the files is sealed, also as a copy: they are hashed.
  void refuse_files(const std::vector<std::filesystem::path>& files) const;

  /// Adds the sealed samples of the data in `root` to its marker and to this register; entries are
  /// never taken away. Folders of sealed files elsewhere (behind links, exported frames) get
  /// markers of their own. Returns the files that now hold them, none without sealed samples. Where
  /// one of them can't be written, a warning says so; throws kUnavailable where none can.
  std::vector<std::filesystem::path> seal(const std::filesystem::path& root,
                                          const std::vector<Sample>& samples);

 private:
  struct Entry {
    SealedRecord record;
    std::filesystem::path file;
  };
  [[nodiscard]] std::optional<std::filesystem::path> holds(const std::filesystem::path& file) const;
  [[nodiscard]] std::optional<std::filesystem::path> holds_hash(std::string_view sha256) const;

  std::filesystem::path folder_;
  std::vector<Entry> entries_;
};

}  // namespace voxloom::dataset
