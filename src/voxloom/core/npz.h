#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/core/mapped_file.h"
#include "voxloom/core/zip_reader.h"

namespace voxloom {

/// A numpy array: row-major little-endian bytes, aligned for its element type.
struct NamedArray {
  std::string name;            ///< Without ".npy".
  std::string dtype;           ///< numpy's: "<f4", "<i8", "|u1", "|b1", "<U5", "|S3", ...
  std::vector<int64_t> shape;  ///< Empty for a scalar.
  SharedBytes data;

  [[nodiscard]] int64_t element_count() const;

  /// The elements as T. Throws kInvalidArgument naming both types when T is not the stored one.
  template <class T>
  [[nodiscard]] std::span<const T> as() const;
};

/// "<f4" for float and so on; bool is "|b1".
template <class T>
[[nodiscard]] std::string numpy_dtype() {
  static_assert(std::is_arithmetic_v<T>);
  const char kind = std::is_same_v<T, bool>       ? 'b'
                    : std::is_floating_point_v<T> ? 'f'
                    : std::is_signed_v<T>         ? 'i'
                                                  : 'u';
  return std::string(sizeof(T) == 1 ? "|" : "<") + kind + std::to_string(sizeof(T));
}

template <class T>
std::span<const T> NamedArray::as() const {
  VOXLOOM_CHECK(dtype == numpy_dtype<T>(),
                ErrorCode::kInvalidArgument,
                "array '{}': must hold '{}', got '{}'",
                name,
                numpy_dtype<T>(),
                dtype);
  return {reinterpret_cast<const T*>(data.bytes.data()), data.bytes.size() / sizeof(T)};
}

/// An array that owns a copy of `values`.
template <class T>
[[nodiscard]] NamedArray make_array(std::string name,
                                    std::vector<int64_t> shape,
                                    std::span<const T> values) {
  const auto bytes = std::as_bytes(values);
  NamedArray array{std::move(name), numpy_dtype<T>(), std::move(shape), {}};
  VOXLOOM_CHECK(array.element_count() == static_cast<int64_t>(values.size()),
                ErrorCode::kInvalidArgument,
                "array '{}': shape {} must hold {} values",
                array.name,
                array.shape,
                values.size());
  array.data = own_bytes(std::vector<std::byte>(bytes.begin(), bytes.end()));
  return array;
}

/// What an .npy file begins with, as stored.
struct NpyHeader {
  std::string dtype;  ///< With the file's byte order: ">i2", "<f4", "|u1".
  bool fortran_order = false;
  std::vector<int64_t> shape;
  size_t data_offset = 0;  ///< Where the elements begin.
};

/// Reads the header from the first bytes of a file (64 KiB and 12 bytes always suffice), for
/// readers that take the elements piece by piece. Errors begin with `where`.
[[nodiscard]] NpyHeader parse_npy_header(std::span<const std::byte> start,
                                         const std::string& where);

/// Parses one .npy (format 1.0, 2.0 or 3.0). Fortran order and big-endian are converted;
/// otherwise the result is a view where the bytes are aligned. Object arrays are never
/// unpickled: kUnsupported, as are structured types. kDataCorrupt for a damaged header or data
/// whose length does not fit.
[[nodiscard]] NamedArray parse_npy(const SharedBytes& file, std::string name);
[[nodiscard]] NamedArray read_npy(const std::filesystem::path& path);

/// An .npz file: arrays are read when asked for, so that one of an unsupported type is no
/// obstacle to the others.
class NpzFile {
 public:
  static NpzFile open(const std::filesystem::path& path, const ZipLimits& limits = {});
  explicit NpzFile(ZipReader zip);

  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  [[nodiscard]] bool contains(std::string_view name) const;
  /// Throws kDataCorrupt when there is no such array, listing what there is.
  [[nodiscard]] NamedArray read(std::string_view name) const;

 private:
  ZipReader zip_;
  std::vector<std::string> names_;
};

/// Every array of an .npz, in file order.
[[nodiscard]] std::vector<NamedArray> read_npz(const std::filesystem::path& path);

/// The bytes of one .npy file (format 1.0, or 2.0 for a very long header).
[[nodiscard]] std::vector<std::byte> encode_npy(const NamedArray& array);
void write_npy(const std::filesystem::path& path, const NamedArray& array, Overwrite overwrite);

enum class NpzCompression { kStored, kDeflated };
void write_npz(const std::filesystem::path& path,
               std::span<const NamedArray> arrays,
               Overwrite overwrite,
               NpzCompression compression = NpzCompression::kDeflated);

}  // namespace voxloom
