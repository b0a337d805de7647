#include "voxloom/core/mapped_file.h"

#include <cstring>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>

#include "voxloom/core/error.h"

namespace voxloom {
namespace {

std::filesystem::path write_temp(const std::string& name, const std::string& text) {
  const auto path = std::filesystem::path(testing::TempDir()) / name;
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

ErrorCode code_of(const std::function<void()>& fn) {
  try {
    fn();
  } catch (const Error& e) {
    return e.code();
  }
  ADD_FAILURE() << "nothing was thrown";
  return ErrorCode::kInternal;
}

TEST(MappedFileTest, BytesOutliveTheirFileName) {
  const auto path = write_temp("mapped_outlive.bin", "some bytes");
  SharedBytes part;
  {
    const SharedBytes all = map_file(path);
    ASSERT_EQ(all.bytes.size(), 10u);
    part = all.part(5, 5);
  }
  std::filesystem::remove(path);
  EXPECT_EQ(std::memcmp(part.bytes.data(), "bytes", 5), 0);
}

TEST(MappedFileTest, AnEmptyFileIsNoError) {
  EXPECT_TRUE(map_file(write_temp("mapped_empty.bin", "")).bytes.empty());
}

TEST(MappedFileTest, SaysWhatIsWrong) {
  const auto path = write_temp("mapped_big.bin", "0123456789");
  EXPECT_EQ(code_of([] { (void)map_file("no/such/file"); }), ErrorCode::kNotFound);
  EXPECT_EQ(code_of([] { (void)map_file("/"); }), ErrorCode::kNotFound);
  EXPECT_EQ(code_of([&] { (void)map_file(path, 9); }), ErrorCode::kUnsupported);
  EXPECT_EQ(map_file(path, 10).bytes.size(), 10u);
}

TEST(MappedFileTest, PartsStayInside) {
  const SharedBytes bytes = own_bytes(std::vector<std::byte>(8));
  EXPECT_EQ(bytes.part(8, 0).bytes.size(), 0u);
  EXPECT_EQ(code_of([&] { (void)bytes.part(9, 0); }), ErrorCode::kDataCorrupt);
  EXPECT_EQ(code_of([&] { (void)bytes.part(4, 5); }), ErrorCode::kDataCorrupt);
  EXPECT_EQ(code_of([&] { (void)bytes.part(4, ~uint64_t{0}); }), ErrorCode::kDataCorrupt);
}

}  // namespace
}  // namespace voxloom
