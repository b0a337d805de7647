// The program and the ML library in one process, joined as `voxloom segment --model PACKAGE` does.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <link.h>
#include <nlohmann/json.hpp>

#include "voxloom/core/error.h"
#include "voxloom/infer/ml_library.h"

namespace voxloom::infer {
namespace {

/// Files mapped into this process whose name starts with `prefix`.
std::set<std::string> mapped_files(const std::string& prefix) {
  std::set<std::string> files;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    const size_t at = line.find('/');
    if (at == std::string::npos) continue;
    const std::string path = line.substr(at);
    if (std::filesystem::path(path).filename().string().starts_with(prefix)) files.insert(path);
  }
  return files;
}

std::string file_of(const void* address) {
  Dl_info info{};
  if (::dladdr(address, &info) == 0 || info.dli_fname == nullptr) return "nowhere";
  return std::filesystem::path(info.dli_fname).filename().string();
}

class BorderTest : public testing::Test {
 protected:
  void SetUp() override {
    versions_ = ml_api().describe();
    // OpenVINO opens its CPU plugin with the first network; it might bring a second TBB.
    for (const std::string& file : mapped_files("libopenvino.so")) {
      const auto plugin =
          std::filesystem::path(file).parent_path() / "libopenvino_intel_cpu_plugin.so";
      if (!std::filesystem::exists(plugin)) continue;
      ASSERT_NE(::dlopen(plugin.c_str(), RTLD_NOW | RTLD_LOCAL), nullptr) << ::dlerror();
    }
  }
  nlohmann::ordered_json versions_;
};

TEST_F(BorderTest, BothLibrariesAreOfOneBuild) {
  EXPECT_STREQ(ml_api().build_id, build_id());
  EXPECT_EQ(mapped_files("libvoxloom_ml.so").size(), 1u);
  EXPECT_EQ(mapped_files("libvoxloom.so").size(), 1u);
  EXPECT_FALSE(versions_.empty());
}

// Debian's libblas in front of libtorch's makes matrix products 34 times slower. The order in
// which libtorch's own call is bound is: the program with all it links, then the ML library with
// all that it links.
TEST_F(BorderTest, MatrixProductsAreLibtorchs) {
  const auto files = mapped_files("libvoxloom_ml.so");
  ASSERT_EQ(files.size(), 1u);
  for (const char* symbol : {"sgemm_", "dgemm_"}) {
    EXPECT_EQ(::dlsym(RTLD_DEFAULT, symbol), nullptr) << symbol << " comes with the light library";
    void* ml = ::dlopen(files.begin()->c_str(), RTLD_NOW | RTLD_NOLOAD);
    ASSERT_NE(ml, nullptr) << ::dlerror();
    const void* found = ::dlsym(ml, symbol);
    ASSERT_NE(found, nullptr) << symbol;
    EXPECT_EQ(file_of(found), "libtorch_cpu.so") << symbol;
    ::dlclose(ml);
  }
  // Debian's OpenCV brings a BLAS into the process; nothing else may.
  if (mapped_files("libopencv_core").empty()) {
    for (const char* name : {"libblas", "liblapack", "libopenblas", "libcblas"}) {
      EXPECT_THAT(mapped_files(name), testing::IsEmpty());
    }
  }
  EXPECT_THAT(mapped_files("libmkl"), testing::IsEmpty());
}

// libtorch's own calls are bound in the order of loading, so its library must come before every
// BLAS that OpenCV brings.
TEST_F(BorderTest, LibtorchIsLoadedBeforeAnyOtherBlas) {
  const auto torch = mapped_files("libtorch_cpu.so");
  ASSERT_EQ(torch.size(), 1u);
  void* library = ::dlopen(torch.begin()->c_str(), RTLD_NOW | RTLD_NOLOAD);
  ASSERT_NE(library, nullptr) << ::dlerror();
  const void* own = ::dlsym(library, "sgemm_");
  EXPECT_EQ(file_of(own), "libtorch_cpu.so");
  std::vector<std::string> order;
  void* ml = ::dlopen(mapped_files("libvoxloom_ml.so").begin()->c_str(), RTLD_NOW | RTLD_NOLOAD);
  ASSERT_NE(ml, nullptr) << ::dlerror();
  link_map* map = nullptr;
  ASSERT_EQ(::dlinfo(ml, RTLD_DI_LINKMAP, &map), 0) << ::dlerror();
  for (; map != nullptr; map = map->l_next) {
    order.push_back(std::filesystem::path(map->l_name).filename().string());
  }
  const auto place = [&](const std::string& prefix) {
    return std::find_if(order.begin(), order.end(), [&](const std::string& name) {
      return name.starts_with(prefix);
    });
  };
  ASSERT_NE(place("libtorch_cpu.so"), order.end());
  for (const char* name : {"libopencv_core", "libblas", "liblapack", "libopenblas"}) {
    EXPECT_LT(place("libtorch_cpu.so"), place(name)) << name;
  }
  ::dlclose(ml);
  ::dlclose(library);
}

TEST_F(BorderTest, ThereIsOneThreadPoolOfEachKind) {
  EXPECT_EQ(mapped_files("libgomp").size(), 1u) << testing::PrintToString(mapped_files("libgomp"));
  EXPECT_EQ(mapped_files("libtbb.so").size(), 1u)
      << testing::PrintToString(mapped_files("libtbb.so"));
  EXPECT_THAT(mapped_files("libiomp5"), testing::IsEmpty());
  EXPECT_THAT(mapped_files("libomp.so"), testing::IsEmpty());
}

TEST_F(BorderTest, AnErrorThrownBeyondTheBorderIsCaughtWithItsCode) {
  try {
    (void)ml_api().make_segmenter("no-such-package", {});
    FAIL() << "must throw";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kNotFound);
    EXPECT_THAT(e.what(), testing::HasSubstr("'no-such-package'"));
  }
}

}  // namespace
}  // namespace voxloom::infer
