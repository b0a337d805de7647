#include "voxloom/io/hdf5_array.h"

#include <atomic>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "voxloom/core/parallel.h"

#include "hdf5_fixtures.h"
#include "io_fixtures.h"

namespace voxloom::io {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using testing::TempFolder;
using voxloom::testing::good;
using voxloom::testing::write_hdf5;

std::string open_error(const std::filesystem::path& path, const char* name = "a") {
  return error_of([&] { static_cast<void>(Hdf5Array::open(path, name)); });
}

TEST(Hdf5ArrayTest, ReadsSlicesOfEveryNumberType) {
  const TempFolder folder;
  const auto path = folder / "f.hdf5";
  write_hdf5<uint8_t>(path, "a", {2, 3}, {1, 2, 3, 4, 5, 255}, true);
  auto array = Hdf5Array::open(path, "a");
  EXPECT_EQ(array.shape(), (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(array.read(1), Hdf5Array::Values(std::vector<uint8_t>{4, 5, 255}));
  write_hdf5<uint16_t>(folder / "g", "a", {2, 1, 2}, {1, 2, 3, 65535}, false);
  EXPECT_EQ(Hdf5Array::open(folder / "g", "a").read(1),
            Hdf5Array::Values(std::vector<uint16_t>{3, 65535}));
  write_hdf5<int64_t>(folder / "h", "a", {3}, {-1, 2, 3}, false);
  EXPECT_EQ(Hdf5Array::open(folder / "h", "a").read(0), Hdf5Array::Values(std::vector<float>{-1}));
  write_hdf5<double>(folder / "i", "a", {1, 2}, {0.5, 0.25}, false);
  EXPECT_EQ(Hdf5Array::open(folder / "i", "a").read(0),
            Hdf5Array::Values(std::vector<float>{0.5F, 0.25F}));
  EXPECT_THAT(error_of([&] { static_cast<void>(array.read(2)); }),
              HasSubstr("the index must be within [0, 2), got 2"));
  EXPECT_THAT(error_of([&] { static_cast<void>(array.read(-1)); }), HasSubstr("got -1"));
}

TEST(Hdf5ArrayTest, TheOnlyArrayMayHaveAnotherName) {
  const TempFolder folder;
  const auto path = folder / "f.hdf5";
  write_hdf5<uint8_t>(path, "images", {2}, {1, 2}, false);
  EXPECT_EQ(Hdf5Array::open(path, "a").name(), "images");
  const hid_t file = good(H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT));
  const hid_t space = good(H5Screate(H5S_SCALAR));
  H5Dclose(
      good(H5Dcreate2(file, "b", H5T_NATIVE_INT, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT)));
  H5Sclose(space);
  H5Fclose(file);
  EXPECT_THAT(open_error(path), HasSubstr("must hold the array 'a', got 'b', 'images'"));
  EXPECT_THAT(open_error(path, "b"), HasSubstr("must have within [1, 4] axes, got 0"));
}

TEST(Hdf5ArrayTest, WhatLeadsOutOfTheFileIsRefused) {
  const TempFolder folder;
  write_hdf5<uint8_t>(folder / "other.hdf5", "a", {2}, {1, 2}, false);
  const auto path = folder / "f.hdf5";
  const hid_t file = good(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT));
  good(H5Lcreate_external(
      (folder / "other.hdf5").c_str(), "a", file, "a", H5P_DEFAULT, H5P_DEFAULT));
  const hsize_t size = 4;
  const hid_t space = good(H5Screate_simple(1, &size, nullptr));
  const hid_t plist = good(H5Pcreate(H5P_DATASET_CREATE));
  std::ofstream(folder / "raw.bin") << "abcd";
  good(H5Pset_external(plist, (folder / "raw.bin").c_str(), 0, 4));
  H5Dclose(
      good(H5Dcreate2(file, "external", H5T_NATIVE_UINT8, space, H5P_DEFAULT, plist, H5P_DEFAULT)));
  H5Pclose(plist);
  H5Sclose(space);
  H5Fclose(file);
  EXPECT_THAT(open_error(path, "external"), HasSubstr("must be stored in the file itself"));
  // The link does not count as an array, so the only one is the external one.
  EXPECT_THAT(open_error(path, "a"), HasSubstr("array 'external': must be stored"));
}

TEST(Hdf5ArrayTest, LimitsHoldBeforeAnythingIsRead) {
  const TempFolder folder;
  const auto path = folder / "f.hdf5";
  const auto write = [&](std::vector<hsize_t> sizes, std::vector<hsize_t> chunk, int filter) {
    const hid_t file = good(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT));
    const hid_t space =
        good(H5Screate_simple(static_cast<int>(sizes.size()), sizes.data(), nullptr));
    const hid_t plist = good(H5Pcreate(H5P_DATASET_CREATE));
    good(H5Pset_chunk(plist, static_cast<int>(chunk.size()), chunk.data()));
    if (filter != 0) {
      good(H5Pset_filter(plist, static_cast<H5Z_filter_t>(filter), H5Z_FLAG_OPTIONAL, 0, nullptr));
    }
    H5Dclose(good(H5Dcreate2(file, "a", H5T_NATIVE_UINT8, space, H5P_DEFAULT, plist, H5P_DEFAULT)));
    H5Pclose(plist);
    H5Sclose(space);
    H5Fclose(file);
  };
  write({2, 1 << 14, 1 << 13}, {1, 16, 16}, 0);
  EXPECT_THAT(open_error(path), HasSubstr("67108864 a slice"));
  write({hsize_t{1} << 35}, {16}, 0);
  EXPECT_THAT(open_error(path), HasSubstr("must have within [1, 17179869184] elements"));
  write({1 << 10, 1 << 10, 1 << 10}, {1 << 10, 1 << 10, 1 << 9}, 0);
  EXPECT_THAT(open_error(path), HasSubstr("chunks must have at most 268435456 bytes"));
  write({4, 4}, {2, 2}, 32000);
  EXPECT_THAT(open_error(path), HasSubstr("deflate, shuffle or fletcher32, got number 32000"));
  write({2, 2, 2, 2, 2}, {2, 2, 2, 2, 2}, 0);
  EXPECT_THAT(open_error(path), HasSubstr("must have within [1, 4] axes, got 5"));
}

TEST(Hdf5ArrayTest, DamageIsAnErrorWithTheFilesName) {
  const TempFolder folder;
  const auto path = folder / "f.hdf5";
  std::vector<uint8_t> values(64 * 64);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<uint8_t>(i * 31 % 251);
  write_hdf5<uint8_t>(path, "a", {64, 64}, values, true);
  std::string bytes(std::filesystem::file_size(path), '\0');
  std::ifstream(path, std::ios::binary).read(bytes.data(), std::ssize(bytes));
  // In the middle of the first packed chunk (level 4 of deflate begins with these two bytes).
  // Damage to the library's own structures is its business.
  const size_t packed = bytes.find("\x78\x5e");
  ASSERT_NE(packed, std::string::npos);
  bytes[packed + 20] = static_cast<char>(bytes[packed + 20] ^ 0x55);
  bytes[packed + 21] = static_cast<char>(bytes[packed + 21] ^ 0x55);
  std::ofstream(path, std::ios::binary) << bytes;
  const auto array = Hdf5Array::open(path, "a");
  EXPECT_THAT(error_of([&] {
                for (int64_t i = 0; i < 64; ++i) static_cast<void>(array.read(i));
              }),
              HasSubstr("f.hdf5' array 'a' at 0: must be a readable HDF5 file, got: "));
  EXPECT_THAT(open_error(folder / "absent"), HasSubstr("must be a file"));
}

TEST(Hdf5ArrayTest, ThreadsTakeTurns) {
  const TempFolder folder;
  std::vector<uint8_t> values(256 * 8);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<uint8_t>(i / 8);
  write_hdf5<uint8_t>(folder / "f", "a", {256, 8}, values, true);
  const auto array = Hdf5Array::open(folder / "f", "a");
  std::atomic<int> wrong = 0;
  parallel_for(0, 256, 1, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const auto expected = std::vector<uint8_t>(8, static_cast<uint8_t>(i));
      if (array.read(i) != Hdf5Array::Values(expected)) ++wrong;
    }
  });
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace voxloom::io
