#include "voxloom/core/npz.h"

#include <cstring>
#include <filesystem>

#include <gmock/gmock.h>

namespace voxloom {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

SharedBytes npy_of(const std::string& header, const std::string& data) {
  std::string file = "\x93NUMPY";
  file += '\x01';
  file += '\0';
  file += static_cast<char>(header.size() & 0xff);
  file += static_cast<char>(header.size() >> 8);
  file += header + data;
  std::vector<std::byte> bytes(file.size());
  std::memcpy(bytes.data(), file.data(), file.size());
  return own_bytes(std::move(bytes));
}

std::string header_of(const std::string& descr,
                      const std::string& order,
                      const std::string& shape) {
  return "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }\n";
}

std::string error_of(const std::string& header, const std::string& data) {
  try {
    (void)parse_npy(npy_of(header, data), "a");
  } catch (const Error& e) {
    return e.what();
  }
  return "parsed";
}

TEST(NpzTest, RoundTripsTypesAndShapes) {
  const auto path = std::filesystem::path(testing::TempDir()) / "round.npz";
  const std::vector<float> f = {1.5f, -2.f, 3.f, 4.f, 5.f, 6.f};
  const std::vector<uint8_t> u = {7};
  const std::vector<int64_t> none;
  for (const auto compression : {NpzCompression::kStored, NpzCompression::kDeflated}) {
    const NamedArray arrays[] = {make_array<float>("images/first", {1, 2, 3}, f),
                                 make_array<uint8_t>("scalar", {}, u),
                                 make_array<int64_t>("none", {0, 4}, none)};
    write_npz(path, arrays, Overwrite::kReplace, compression);
    const NpzFile file = NpzFile::open(path);
    EXPECT_THAT(file.names(), ElementsAre("images/first", "scalar", "none"));
    const NamedArray first = file.read("images/first");
    EXPECT_THAT(first.shape, ElementsAre(1, 2, 3));
    EXPECT_THAT(first.as<float>(), testing::ElementsAreArray(f));
    EXPECT_THAT(file.read("scalar").shape, ElementsAre());
    EXPECT_THAT(file.read("scalar").as<uint8_t>(), ElementsAre(7));
    EXPECT_TRUE(file.read("none").as<int64_t>().empty());
    EXPECT_EQ(read_npz(path).size(), 3u);
  }
  EXPECT_THROW(write_npz(path, {}, Overwrite::kRefuse), Error);
}

TEST(NpzTest, NamesTheTypesWhenTheyDiffer) {
  const std::vector<float> f = {1.f};
  const NamedArray array = make_array<float>("x", {1}, f);
  try {
    (void)array.as<double>();
    FAIL();
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), "array 'x': must hold '<f8', got '<f4'");
  }
  EXPECT_THROW((void)make_array<float>("x", {2}, f), Error);
}

TEST(NpzTest, FortranOrderBecomesRowMajor) {
  const std::string data = {1, 4, 2, 5, 3, 6};  // [[1, 2, 3], [4, 5, 6]] by columns
  const NamedArray array = parse_npy(npy_of(header_of("|u1", "True", "(2, 3)"), data), "a");
  EXPECT_THAT(array.as<uint8_t>(), ElementsAre(1, 2, 3, 4, 5, 6));
  // [2, 2, 2] with element value = 4 i + 2 j + k.
  const std::string cube = {0, 4, 2, 6, 1, 5, 3, 7};
  EXPECT_THAT(parse_npy(npy_of(header_of("|u1", "True", "(2, 2, 2)"), cube), "a").as<uint8_t>(),
              ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
}

TEST(NpzTest, BigEndianBecomesLittle) {
  const std::string data("\x01\x02\x00\x03", 4);
  const NamedArray array = parse_npy(npy_of(header_of(">i2", "False", "(2,)"), data), "a");
  EXPECT_EQ(array.dtype, "<i2");
  EXPECT_THAT(array.as<int16_t>(), ElementsAre(0x0102, 3));
}

TEST(NpzTest, TextKeepsItsUnitsOfFourBytes) {
  const std::string data("a\0\0\0b\0\0\0", 8);
  const NamedArray array = parse_npy(npy_of(header_of("<U2", "False", "()"), data), "a");
  EXPECT_EQ(array.dtype, "<U2");
  EXPECT_EQ(array.element_count(), 1);
  EXPECT_EQ(array.data.bytes.size(), 8u);
}

TEST(NpzTest, RefusesWhatDoesNotFitOrCanNotBeTrusted) {
  const std::string eight(8, '\0');
  EXPECT_EQ(error_of(header_of("<f4", "False", "(2,)"), eight), "parsed");
  const std::pair<std::string, const char*> cases[] = {
      {header_of("<f4", "False", "(3,)"), "does not fit 8 bytes"},
      {header_of("<f4", "False", "(1,)"), "does not fit 8 bytes"},
      {header_of("<f4", "False", "(-2,)"), "header is damaged"},
      {header_of("<f4", "False", "(4294967296, 4294967296)"), "is not possible"},
      {header_of("<f4", "False", "(99999999999999999999,)"), "header is damaged"},
      {header_of("|O", "False", "(1,)"), "pickled Python objects"},
      {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }", "structured"},
      {header_of("<m8", "False", "(1,)"), "'<m8' is not read"},
      {header_of("<f3", "False", "(1,)"), "'<f3' is not read"},
      {"{'descr': '<f4', 'shape': (2,), }", "header is damaged"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'x': 1}", "header is damaged"},
      {header_of("<f4", "False", "(2,)") + "import os", "header is damaged"},
      {"", "header is damaged"},
      {"{", "header is damaged"},
      {"{'descr': '", "header is damaged"},
  };
  for (const auto& [header, expected] : cases) {
    EXPECT_THAT(error_of(header, eight), HasSubstr(expected)) << header;
  }
}

TEST(NpzTest, ListsTheNamesWhenOneIsMissing) {
  const auto path = std::filesystem::path(testing::TempDir()) / "missing.npz";
  const std::vector<float> f = {1.f};
  const NamedArray arrays[] = {make_array<float>("imgs", {1}, f)};
  write_npz(path, arrays, Overwrite::kReplace);
  try {
    (void)NpzFile::open(path).read("gts");
    FAIL();
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("must hold an array 'gts', got 'imgs'"));
  }
}

// Written by numpy itself: the reader's agreement with the original.
TEST(NpzTest, ReadsNumpysOwnFile) {
  const auto path = std::filesystem::path(VOXLOOM_DEFAULT_GOLDEN_DIR) / "medsam2" / "small.npz";
  const NpzFile file = NpzFile::open(path);
  EXPECT_GT(file.names().size(), 50u);
  const NamedArray pe = file.read("memory_attention.out");
  EXPECT_THAT(pe.shape, ElementsAre(64, 1, 64));
  EXPECT_EQ(pe.as<float>().size(), 64u * 64u);
}

}  // namespace
}  // namespace voxloom
