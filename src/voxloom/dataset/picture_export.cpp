#include "voxloom/dataset/picture_export.h"

#include <algorithm>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include <stdlib.h>

#include "voxloom/core/error.h"
#include "voxloom/core/parallel.h"

namespace voxloom::dataset {
namespace {

namespace fs = std::filesystem;

/// Tells a folder that may be replaced from one of the user's.
constexpr const char* kMark = ".voxloom-export";

fs::path files_folder(const fs::path& manifest) {
  fs::path folder = manifest;
  return folder.replace_filename(manifest.stem().string() + "_files");
}

void check_done(const std::error_code& failed, const fs::path& path) {
  VOXLOOM_CHECK(!failed,
                ErrorCode::kUnavailable,
                "folder '{}': cannot be written: {}",
                path.string(),
                failed.message());
}

fs::path& path_of(Sample& sample, MadePicture::Part part) {
  return part == MadePicture::Part::kImage ? sample.image : sample.mask;
}

}  // namespace

PictureExport::PictureExport(const fs::path& manifest, Overwrite overwrite)
    : folder_(files_folder(manifest)) {
  std::error_code ignored;
  if (!fs::exists(fs::symlink_status(folder_, ignored))) return;
  VOXLOOM_CHECK(overwrite == Overwrite::kReplace,
                ErrorCode::kAlreadyExists,
                "folder '{}': exists already; use --force to overwrite",
                folder_.string());
  VOXLOOM_CHECK(fs::exists(folder_ / kMark, ignored),
                ErrorCode::kAlreadyExists,
                "folder '{}': must be one that an earlier run made to be replaced",
                folder_.string());
}

PictureExport::~PictureExport() {
  std::error_code ignored;
  if (!private_.empty()) fs::remove_all(private_, ignored);
}

void PictureExport::write(Listing& listing, Progress& progress, const CancelToken& stop) {
  if (listing.made.empty()) return;
  std::string name = folder_.string() + "-XXXXXX";
  VOXLOOM_CHECK(::mkdtemp(name.data()) != nullptr,
                ErrorCode::kUnavailable,
                "folder '{}': cannot be made",
                name);
  private_ = name;
  // Below it, because a folder made by mkdtemp() is closed to others.
  staging_ = private_ / "files";
  make_output_folder(staging_);
  AtomicFile(staging_ / kMark, Overwrite::kRefuse).commit();
  std::set<fs::path> folders;
  for (const auto& made : listing.made) folders.insert((staging_ / made.name).parent_path());
  for (const auto& folder : folders) make_output_folder(folder);
  if (const fs::path sealed = staging_ / kSealedFolder; fs::exists(sealed)) {
    fs::permissions(sealed, fs::perms::owner_all);
  }

  std::vector<std::string> problems(listing.made.size());
  std::mutex mutex;
  progress.begin("export pictures", static_cast<int64_t>(listing.made.size()));
  parallel_for(0, static_cast<int64_t>(listing.made.size()), 4, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      stop.check();
      MadePicture& made = listing.made[static_cast<size_t>(i)];
      Sample& sample = listing.samples.at(made.sample);
      try {
        path_of(sample, made.part) =
            write_plain_picture(made.make(), staging_ / made.name, Overwrite::kRefuse);
      } catch (const Error& error) {
        // A full disk is no fault of the data.
        if (error.code() == ErrorCode::kUnavailable) throw;
        problems[static_cast<size_t>(i)] = error.what();
      }
      made.make = nullptr;
      const std::lock_guard lock(mutex);
      progress.advance(1);
    }
  });
  progress.end();

  // Samples without their pictures can't be looked at any further.
  std::vector<bool> whole(listing.samples.size(), true);
  for (size_t i = 0; i < problems.size(); ++i) {
    if (problems[i].empty()) continue;
    whole[listing.made[i].sample] = false;
    // An error of a whole file comes once a frame.
    if (std::ranges::find(listing.problems, problems[i]) == listing.problems.end()) {
      listing.problems.push_back(std::move(problems[i]));
    }
  }
  keep_samples(listing, whole);
  listing.made.clear();
}

void PictureExport::commit(std::vector<Sample>& samples) {
  if (staging_.empty()) return;
  std::error_code failed;
  if (fs::exists(folder_, failed)) {
    fs::rename(folder_, private_ / "old", failed);
    check_done(failed, folder_);
  }
  fs::rename(staging_, folder_, failed);
  check_done(failed, folder_);
  for (auto& sample : samples) {
    for (fs::path* path : {&sample.image, &sample.mask}) {
      const fs::path inside = path->lexically_relative(staging_);
      if (!inside.empty() && *inside.begin() != "..") *path = folder_ / inside;
    }
  }
  staging_.clear();
}

}  // namespace voxloom::dataset
