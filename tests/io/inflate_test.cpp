#include <algorithm>
#include <cstring>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "voxloom/io/deflate_sink.h"
#include "voxloom/io/inflate_source.h"

#include "io_fixtures.h"

namespace voxloom::io {
namespace {

using testing::error_of;
using ::testing::HasSubstr;

/// Counts what is read from the compressed side.
class CountingBytes final : public ByteSource {
 public:
  CountingBytes(std::unique_ptr<ByteSource> source, int64_t* count)
      : source_(std::move(source)), count_(count) {}
  size_t read_some(int64_t offset, std::span<std::byte> out) override {
    const size_t got = source_->read_some(offset, out);
    *count_ += static_cast<int64_t>(got);
    return got;
  }
  int64_t size_limit() const override { return source_->size_limit(); }
  const std::string& name() const override { return source_->name(); }

 private:
  std::unique_ptr<ByteSource> source_;
  int64_t* count_;
};

std::vector<std::byte> sample_bytes(size_t count) {
  std::vector<std::byte> out(count);
  uint32_t state = 1;
  for (auto& b : out) {
    state = state * 1664525 + 1013904223;
    b = static_cast<std::byte>(state >> 28);  // four bits of noise: packs to about half
  }
  return out;
}

std::vector<std::byte> deflated(std::span<const std::byte> bytes,
                                DeflateSink::Wrapper wrapper,
                                int level = 4) {
  std::vector<std::byte> out;
  DeflateSink sink(wrapper, level, [&](std::span<const std::byte> part) {
    out.insert(out.end(), part.begin(), part.end());
  });
  sink.write(bytes);
  sink.finish();
  EXPECT_EQ(sink.compressed_bytes(), static_cast<int64_t>(out.size()));
  return out;
}

TEST(DeflateSinkTest, ExpandsToWhatWentIn) {
  using Wrapper = DeflateSink::Wrapper;
  constexpr size_t kMiB = 1 << 20;
  // Around one block, and around one batch of 16 blocks.
  for (const auto& [size, wrapper] : {std::pair(size_t{0}, Wrapper::kGzip),
                                      {0, Wrapper::kZlib},
                                      {1, Wrapper::kGzip},
                                      {kMiB, Wrapper::kZlib},
                                      {kMiB + 1, Wrapper::kGzip},
                                      {kMiB + 1, Wrapper::kZlib},
                                      {16 * kMiB + 5, Wrapper::kGzip}}) {
    const auto bytes = sample_bytes(size);
    auto source = inflated_bytes(memory_bytes(deflated(bytes, wrapper, 1), "x.gz"));
    std::vector<std::byte> got(size + 1);
    EXPECT_EQ(source->read_some(0, got), size);
    got.resize(size);
    EXPECT_EQ(got, bytes) << size;
  }
}

TEST(DeflateSinkTest, PiecesMakeNoDifference) {
  const auto bytes = sample_bytes(3'000'001);
  const auto whole = deflated(bytes, DeflateSink::Wrapper::kGzip);
  std::vector<std::byte> out;
  DeflateSink sink(DeflateSink::Wrapper::kGzip, 4, [&](std::span<const std::byte> part) {
    out.insert(out.end(), part.begin(), part.end());
  });
  for (size_t at = 0; at < bytes.size(); at += 70'003) {
    sink.write(std::span(bytes).subspan(at, std::min<size_t>(70'003, bytes.size() - at)));
  }
  sink.finish();
  EXPECT_EQ(out, whole);
}

TEST(InflateTest, ReadsAnywhereInAnyOrder) {
  const auto bytes = sample_bytes(2'000'000);
  auto source = inflated_bytes(memory_bytes(deflated(bytes, DeflateSink::Wrapper::kGzip), "x.gz"),
                               0,
                               DeflateFormat::kGzipOrZlib,
                               10'000);  // 200 points: the list is thinned twice
  uint32_t state = 5;
  std::vector<std::byte> got;
  for (int i = 0; i < 200; ++i) {
    state = state * 1664525 + 1013904223;
    const size_t at = state % bytes.size();
    got.resize(std::min<size_t>(bytes.size() - at, 1 + state / 7 % 5000));
    source->read_exact(static_cast<int64_t>(at), got, "test");
    ASSERT_TRUE(std::equal(got.begin(), got.end(), bytes.begin() + static_cast<ptrdiff_t>(at)));
  }
  EXPECT_EQ(source->read_some(2'000'000, got), 0U);
  EXPECT_EQ(source->read_some(5'000'000, got), 0U);
}

TEST(InflateTest, GoingBackReadsLittleAgain) {
  const auto bytes = sample_bytes(8'000'000);
  const auto packed = deflated(bytes, DeflateSink::Wrapper::kGzip);
  int64_t read = 0;
  auto source = inflated_bytes(std::make_unique<CountingBytes>(memory_bytes(packed, "x.gz"), &read),
                               0,
                               DeflateFormat::kGzipOrZlib,
                               1 << 20);
  std::vector<std::byte> got(1000);
  source->read_exact(7'990'000, got, "test");
  read = 0;
  source->read_exact(7'000'000, got, "test");
  EXPECT_TRUE(std::equal(got.begin(), got.end(), bytes.begin() + 7'000'000));
  // At most one restart distance and the input blocks around it, not the 7 MB before.
  EXPECT_LT(read, static_cast<int64_t>(packed.size()) / 4);
}

TEST(InflateTest, SaysWhereDataIsCutOff) {
  auto packed = deflated(sample_bytes(100'000), DeflateSink::Wrapper::kGzip);
  packed.resize(packed.size() / 2);
  auto source = inflated_bytes(memory_bytes(packed, "x.gz"));
  std::vector<std::byte> got(100'000);
  EXPECT_THAT(error_of([&] { source->read_exact(0, got, "voxel data"); }),
              HasSubstr("'x.gz': compressed data is cut off after"));
}

TEST(InflateTest, NoticesFlippedBitsByTheChecksum) {
  auto packed = deflated(sample_bytes(100'000), DeflateSink::Wrapper::kGzip);
  packed[packed.size() - 7] ^= std::byte{1};  // in the stored checksum
  auto source = inflated_bytes(memory_bytes(packed, "x.gz"));
  std::vector<std::byte> got(100'001);
  EXPECT_THAT(error_of([&] { static_cast<void>(source->read_some(0, got)); }),
              HasSubstr("incorrect data check"));
}

TEST(InflateTest, LimitsWhatASmallFileCanClaim) {
  const auto packed = deflated(sample_bytes(1000), DeflateSink::Wrapper::kGzip);
  const auto source = inflated_bytes(memory_bytes(packed, "x.gz"));
  EXPECT_GE(source->size_limit(), 1000);
  EXPECT_LT(source->size_limit(), 1'100'000);
}

}  // namespace
}  // namespace voxloom::io
