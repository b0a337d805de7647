#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "voxloom/core/npz.h"
#include "voxloom/dataset/picture_export.h"
#include "voxloom/dataset/prepare.h"

#include "dataset_fixtures.h"

namespace voxloom::dataset::testing {

inline void write_file(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

inline void write_mask_npy(const std::filesystem::path& path,
                           int64_t width,
                           int64_t height,
                           const std::vector<uint8_t>& values) {
  std::filesystem::create_directories(path.parent_path());
  write_npy(path, make_array<uint8_t>("", {height, width}, std::span(values)), Overwrite::kReplace);
}

/// What `wire prepare` does up to the manifest "<folder>-out/set.jsonl".
inline Preparation prepare_set(const std::filesystem::path& folder,
                               const char* layout = "auto",
                               Overwrite overwrite = Overwrite::kRefuse) {
  Progress silent;
  const std::filesystem::path out = folder.string() + "-out";
  std::filesystem::create_directories(out);
  auto listing = find_reader(layout, folder).list(folder);
  PictureExport pictures(out / "set.jsonl", overwrite);
  pictures.write(listing, silent, {});
  auto made = prepare(std::move(listing), silent, {});
  pictures.commit(made.samples);
  return made;
}

inline const Sample& sample_of(const Preparation& made, const std::string& id) {
  for (const auto& sample : made.samples) {
    if (sample.id == id) return sample;
  }
  throw Error(ErrorCode::kNotFound, "no sample '" + id + "'");
}

inline bool has_text(const std::vector<std::string>& lines, const std::string& text) {
  for (const auto& line : lines) {
    if (line.find(text) != std::string::npos) return true;
  }
  return false;
}

}  // namespace voxloom::dataset::testing
