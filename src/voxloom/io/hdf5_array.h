#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace voxloom::io {

/// A numeric array of an HDF5 file, read in slices along its first axis.
///
/// Calls are safe from several threads and take turns, because the HDF5 library is not thread-safe.
/// Refused is what leads out of the file or runs foreign code (external storage, virtual arrays,
/// links to other files, filter plugins) and what is larger than the limits; filters may be
/// deflate, shuffle and Fletcher's checksum. The HDF5 library itself is not hardened against
/// malicious files: open files of known origin only.
class Hdf5Array {
 public:
  /// What an array may cost before it is refused.
  static constexpr int64_t kMaxElements = int64_t{1} << 34;
  static constexpr int64_t kMaxSliceElements = int64_t{1} << 26;
  static constexpr int64_t kMaxChunkBytes = int64_t{1} << 28;

  /// The array called `name` in the file's root; where there is none, the only one that is there.
  /// Throws kNotFound naming file and arrays, kDataCorrupt for a damaged file or element types that
  /// are no numbers, kUnsupported above the limits and in builds without VOXLOOM_HDF5.
  static Hdf5Array open(const std::filesystem::path& path, std::string_view name);

  Hdf5Array(Hdf5Array&&) noexcept;
  Hdf5Array& operator=(Hdf5Array&&) noexcept;
  ~Hdf5Array();

  /// One to four axes of at least one element.
  [[nodiscard]] const std::vector<int64_t>& shape() const;
  [[nodiscard]] const std::string& name() const;

  /// Elements of shape()[1:] at `index` of the first axis, row-major: as they are for unsigned
  /// integers of 8 and 16 bits, else as float. Throws kInvalidArgument for an index outside,
  /// kDataCorrupt when the file can't be read there.
  using Values = std::variant<std::vector<uint8_t>, std::vector<uint16_t>, std::vector<float>>;
  [[nodiscard]] Values read(int64_t index) const;

 private:
  struct Handles;
  explicit Hdf5Array(std::unique_ptr<Handles> handles);
  std::unique_ptr<Handles> handles_;
};

/// Whether this build reads HDF5.
[[nodiscard]] bool has_hdf5();

}  // namespace voxloom::io
