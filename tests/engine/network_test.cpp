#include "voxloom/engine/network.h"

#include <fstream>
#include <set>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <torch/torch.h>

#include "voxloom/core/error.h"

#include "engine_fixture.h"

namespace voxloom::engine {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::ThrowsMessage;

TEST(EngineOptionsTest, AutoTakesBf16OnlyBehindAPassedGate) {
  EXPECT_EQ(resolve({}, false).precision, Precision::kF32);
  EXPECT_EQ(resolve({}, true).precision, has_fast_bf16() ? Precision::kBf16 : Precision::kF32);
  EXPECT_EQ(resolve({.precision = Precision::kBf16}, false).precision, Precision::kBf16);
  EXPECT_EQ(resolve({}, false).engine, has_openvino() ? EngineKind::kOpenvino : EngineKind::kTorch);
  EXPECT_GT(resolve({}, false).threads, 0);
}

TEST(EngineOptionsTest, ReadsItsOwnNames) {
  for (const char* name : {"auto", "torch", "openvino"}) {
    EXPECT_EQ(engine_name(parse_engine(name)), name);
  }
  for (const char* name : {"auto", "f32", "bf16"}) {
    EXPECT_EQ(precision_name(parse_precision(name)), name);
  }
  EXPECT_THAT([] { (void)parse_engine("onnx"); },
              ThrowsMessage<Error>(HasSubstr("must be auto, torch or openvino, got 'onnx'")));
}

void write(const fs::path& path, size_t bytes) {
  std::ofstream(path) << std::string(bytes, 'x');
}

TEST(FileCacheTest, RemovesWhatWasUnusedForLongest) {
  const TempFolder folder;
  const FileCache cache(folder.path() / "made", 250);
  const auto age = [&](const char* name, int hours) {
    fs::last_write_time(cache.folder() / name,
                        fs::file_time_type::clock::now() - std::chrono::hours(hours));
  };
  for (const char* name : {"a", "b"}) {
    ASSERT_TRUE(cache.store(name, [](const fs::path& path) { write(path, 100); }));
  }
  age("a", 3);
  age("b", 2);
  ASSERT_TRUE(cache.find("a"));  // used now
  ASSERT_TRUE(cache.store("c", [](const fs::path& path) { write(path, 100); }));
  EXPECT_TRUE(cache.find("a"));
  EXPECT_FALSE(cache.find("b"));
  EXPECT_TRUE(cache.find("c"));
}

TEST(FileCacheTest, KeepsTheNewestFileEvenAboveTheBudget) {
  const TempFolder folder;
  const FileCache cache(folder.path(), 10);
  ASSERT_TRUE(cache.store("a", [](const fs::path& path) { write(path, 100); }));
  EXPECT_TRUE(cache.find("a"));
}

TEST(FileCacheTest, RemovesTemporaryFilesOfDeadProcesses) {
  const TempFolder folder;
  const FileCache cache(folder.path());
  for (const char* name : {".tmp-1-0-old", ".tmp-1-0-new"}) write(folder.path() / name, 10);
  fs::last_write_time(folder.path() / ".tmp-1-0-old",
                      fs::file_time_type::clock::now() - std::chrono::hours(48));
  ASSERT_TRUE(cache.store("a", [](const fs::path& path) { write(path, 1); }));
  EXPECT_FALSE(fs::exists(folder.path() / ".tmp-1-0-old"));
  EXPECT_TRUE(fs::exists(folder.path() / ".tmp-1-0-new"));
}

TEST(FileCacheTest, AFolderThatCannotBeMadeIsNoError) {
  const TempFolder folder;
  write(folder.path() / "file", 1);
  const FileCache cache(folder.path() / "file" / "below");
  const auto stored = cache.store("a", [](const fs::path& path) {
    throw Error(ErrorCode::kUnavailable, "output '" + path.string() + "': cannot be created");
  });
  EXPECT_FALSE(stored);
  EXPECT_FALSE(cache.find("a"));
}

class OpenvinoCacheTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!has_openvino()) GTEST_SKIP() << "this build has no OpenVINO";
  }

  std::unique_ptr<SliceEncoder> make(const fs::path& package = {},
                                     Precision precision = Precision::kF32) const {
    EncoderSource source = stand_in_.source();
    source.folder = package;
    return make_slice_encoder(
        source, {.engine = EngineKind::kOpenvino, .precision = precision}, cache_);
  }

  std::vector<fs::path> cached(const std::string& suffix) const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(cache_.folder())) {
      if (entry.path().string().ends_with(suffix)) files.push_back(entry.path());
    }
    return files;
  }

  const torch::NoGradGuard no_grad_;
  const TempFolder folder_;
  const FileCache cache_{folder_.path() / "cache"};
  const StandIn stand_in_{models::sam2::shrunken_options()};
  const at::Tensor image_ = stand_in_image(stand_in_.options);
};

TEST_F(OpenvinoCacheTest, TheSecondStartReadsTheCompiledNetwork) {
  const auto first = make();
  EXPECT_FALSE(first->start().compiled_cache);
  const auto second = make();
  EXPECT_TRUE(second->start().compiled_cache);
  EXPECT_TRUE(torch::equal(first->encode(image_).f2, second->encode(image_).f2));
  EXPECT_EQ(cached(".compiled").size(), 1U);
  EXPECT_EQ(cached(".onnx").size(), 1U);
}

TEST_F(OpenvinoCacheTest, PrecisionsAreKeptApart) {
  (void)make();
  const auto half = make({}, Precision::kBf16);
  EXPECT_FALSE(half->start().compiled_cache);
  EXPECT_TRUE(half->start().onnx_cache);
  EXPECT_EQ(cached(".compiled").size(), 2U);
}

TEST_F(OpenvinoCacheTest, ADamagedFileIsMadeAnew) {
  const at::Tensor expected = make()->encode(image_).f2;
  const auto files = cached(".compiled");
  ASSERT_EQ(files.size(), 1U);
  fs::resize_file(files[0], fs::file_size(files[0]) / 3);
  const auto again = make();
  EXPECT_FALSE(again->start().compiled_cache);
  EXPECT_TRUE(torch::equal(again->encode(image_).f2, expected));
  EXPECT_TRUE(make()->start().compiled_cache);
}

TEST_F(OpenvinoCacheTest, TheOnnxFileLiesInThePackageWhereThatCanBeWritten) {
  const TempFolder package;
  (void)make(package.path());
  EXPECT_TRUE(cached(".onnx").empty());
  EXPECT_FALSE(fs::is_empty(package.path()));
  const auto half = make(package.path(), Precision::kBf16);
  EXPECT_TRUE(half->start().onnx_cache);
}

TEST_F(OpenvinoCacheTest, WorksWithoutAnyFolder) {
  const auto encoder =
      make_slice_encoder(stand_in_.source(),
                         {.engine = EngineKind::kOpenvino, .precision = Precision::kF32},
                         FileCache(std::filesystem::path()));
  EXPECT_EQ(encoder->encode(image_).f2.sizes(), (at::IntArrayRef{1, 64, 8, 8}));
}

TEST_F(OpenvinoCacheTest, StartsThatRunAtTheSameTimeAgree) {
  std::vector<at::Tensor> results(4);
  std::vector<std::thread> threads;
  for (at::Tensor& result : results) {
    threads.emplace_back([&] {
      const torch::NoGradGuard no_grad;
      result = make()->encode(image_).f2;
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const at::Tensor& result : results) EXPECT_TRUE(torch::equal(result, results[0]));
  EXPECT_EQ(cached(".compiled").size(), 1U);
}

TEST_F(OpenvinoCacheTest, ResultsOwnTheirMemory) {
  const auto encoder = make();
  const at::Tensor first = encoder->encode(image_).f2;
  const at::Tensor copy = first.clone();
  (void)encoder->encode(torch::zeros_like(image_));
  EXPECT_TRUE(torch::equal(first, copy));
}

TEST_F(OpenvinoCacheTest, RefusesImagesOfAnotherShape) {
  const auto encoder = make();
  EXPECT_THAT(
      [&] {
        (void)encoder->encode(torch::zeros({1, 3, 64, 64}));
      },
      ThrowsMessage<Error>(HasSubstr("must be [1, 3, 128, 128] float32, got [1, 3, 64, 64]")));
}

// Two OpenMP or two TBB libraries in one process would be two thread pools on the same cores.
TEST_F(OpenvinoCacheTest, OneThreadingLibraryOfEachKindIsLoaded) {
  (void)make()->encode(image_);
  std::ifstream maps("/proc/self/maps");
  std::string line;
  std::set<std::string> tbb, openmp;
  while (std::getline(maps, line)) {
    const size_t slash = line.find('/');
    if (slash == std::string::npos) continue;
    const fs::path path = line.substr(slash);
    const std::string name = path.filename().string();
    if (name.starts_with("libtbb.so")) tbb.insert(fs::canonical(path).string());
    if (name.starts_with("libgomp") || name.starts_with("libomp") || name.starts_with("libiomp")) {
      openmp.insert(fs::canonical(path).string());
    }
  }
  EXPECT_EQ(tbb.size(), 1U) << testing::PrintToString(tbb);
  EXPECT_EQ(openmp.size(), 1U) << testing::PrintToString(openmp);
}

}  // namespace
}  // namespace voxloom::engine
