#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <type_traits>
#include <vector>

#include <hdf5.h>

#include "voxloom/core/error.h"

namespace voxloom::testing {

template <class T>
hid_t hdf5_type() {
  if constexpr (std::is_same_v<T, uint8_t>) return H5T_NATIVE_UINT8;
  if constexpr (std::is_same_v<T, uint16_t>) return H5T_NATIVE_UINT16;
  if constexpr (std::is_same_v<T, int64_t>) return H5T_NATIVE_INT64;
  if constexpr (std::is_same_v<T, double>) return H5T_NATIVE_DOUBLE;
  return H5T_NATIVE_FLOAT;
}

/// Throws when the library refuses: a fixture that is not there tests nothing.
inline hid_t good(hid_t id) {
  VOXLOOM_CHECK(id >= 0, ErrorCode::kInternal, "HDF5 fixture: the library refuses");
  return id;
}

/// A file with one array, replaced when it is there; `packed`: in chunks of several slices,
/// shuffled and deflated, as h5py writes compressed ones.
template <class T>
void write_hdf5(const std::filesystem::path& path,
                const std::string& name,
                const std::vector<uint64_t>& shape,
                const std::vector<T>& values,
                bool packed) {
  std::vector<hsize_t> sizes(shape.begin(), shape.end()), chunk = sizes;
  const hid_t file = good(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT));
  const hid_t space = good(H5Screate_simple(static_cast<int>(sizes.size()), sizes.data(), nullptr));
  const hid_t plist = good(H5Pcreate(H5P_DATASET_CREATE));
  if (packed) {
    chunk[0] = std::min<hsize_t>(chunk[0], 16);
    good(H5Pset_chunk(plist, static_cast<int>(chunk.size()), chunk.data()));
    good(H5Pset_shuffle(plist));
    good(H5Pset_deflate(plist, 4));
  }
  const hid_t array =
      good(H5Dcreate2(file, name.c_str(), hdf5_type<T>(), space, H5P_DEFAULT, plist, H5P_DEFAULT));
  good(H5Dwrite(array, hdf5_type<T>(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()));
  H5Dclose(array);
  H5Pclose(plist);
  H5Sclose(space);
  H5Fclose(file);
}

}  // namespace voxloom::testing
