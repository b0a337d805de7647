#pragma once

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include <gtest/gtest.h>
#include <stdlib.h>

#include "voxloom/core/error.h"
#include "voxloom/image/volume.h"
#include "voxloom/io/volume_io.h"
#include "voxloom/serve/datastore/local_datastore.h"

namespace voxloom::serve {

namespace fs = std::filesystem;

inline void write_text(const fs::path& path, std::string_view text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

inline std::string read_text(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline image::Geometry small_grid() {
  image::Geometry g;
  g.size = {5, 4, 3};
  g.spacing_mm = {0.8, 0.9, 2.5};
  g.origin_mm = {-10, 20, 30};
  return g;
}

/// Fails unless fn throws an Error of this code; returns its message.
template <class Fn>
std::string error_of(ErrorCode code, Fn&& fn) {
  try {
    fn();
  } catch (const Error& error) {
    EXPECT_EQ(error_code_name(error.code()), error_code_name(code)) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

/// A studies folder and one for uploads, gone after the test.
class StoreTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "voxloom-store-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    base_ = fs::canonical(name);
    studies_ = base_ / "studies";
    fs::create_directories(studies_);
    fs::create_directories(base_ / "uploads");
  }
  void TearDown() override {
    std::error_code ignored;
    fs::remove_all(base_, ignored);
  }

  static void write_volume(const fs::path& path,
                           uint8_t value = 1,
                           const image::Geometry& grid = small_grid()) {
    fs::create_directories(path.parent_path());
    image::Volume volume(grid, image::PixelType::kUint8);
    for (auto& voxel : volume.as<uint8_t>()) voxel = value;
    io::write_volume(volume, path, Overwrite::kReplace);
  }

  fs::path upload(const std::string& name,
                  uint8_t value = 1,
                  const image::Geometry& grid = small_grid()) {
    write_volume(base_ / "uploads" / name, value, grid);
    return base_ / "uploads" / name;
  }

  void image(const std::string& location, uint8_t value = 100) {
    write_volume(studies_ / location, value);
  }

  [[nodiscard]] std::unique_ptr<LocalDatastore> open(bool watch = false, bool read_only = false) {
    return std::make_unique<LocalDatastore>(
        LocalDatastoreOptions{.folder = studies_,
                              .read_only = read_only,
                              .watch = watch,
                              .export_delay = std::chrono::hours(1)});  // Only by flush().
  }

  void save(LocalDatastore& store,
            const std::string& id,
            const std::string& tag,
            uint8_t value = 1,
            const std::string& file = "x.nii.gz",
            const Json& info = Json::object()) {
    store.save_label(id, tag, upload(file, value), file, info);
  }

  static int label_value(LocalDatastore& store, const std::string& id, const std::string& tag) {
    const auto labels = io::read_labels(store.label_path(id, tag));
    return labels.voxels().front();
  }

  /// Waits for what another thread brings about; the limit only ends a failing test.
  template <class Fn>
  static bool eventually(Fn&& fn) {
    for (int i = 0; i < 1000; ++i) {
      if (fn()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }

  /// As a kill leaves the folder: a copy made while the store is open, inodes kept.
  void snapshot_to(const fs::path& copy) const {
    const std::string command = "cp -al '" + studies_.string() + "' '" + copy.string() + "'";
    ASSERT_EQ(std::system(command.c_str()), 0);
    fs::remove(copy / ".voxloom/lock");  // Held by the store that is still open.
    fs::remove(copy / ".lock");
  }

  fs::path base_, studies_;
};

}  // namespace voxloom::serve
