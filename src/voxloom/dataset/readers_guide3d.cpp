// Guide3D: biplane pictures of one wire, annotated by its centre line.
#include <array>
#include <iterator>
#include <memory>
#include <utility>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/dataset/folder_files.h"
#include "voxloom/dataset/guide3d.h"
#include "voxloom/dataset/picture_file.h"
#include "voxloom/dataset/readers_list.h"
#include "voxloom/image/polyline_mask.h"

namespace voxloom::dataset {
namespace {

namespace fs = std::filesystem;

constexpr double kRadius = 1.0;  // The authors draw masks with a thickness of 2 px.
constexpr int64_t kPublishedFrames = 8746;

/// The points that were clicked come before the splines that were fitted to them.
fs::path annotation_file(const fs::path& folder) {
  for (const char* name : {"raw.json", "b_spline.json"}) {
    for (const char* place : {"", "annotations", "annotations/raw", "annotations/processed"}) {
      if (fs::path path = folder / place / name; is_file(path)) return path;
    }
  }
  return {};
}

fs::path find_image(const fs::path& folder, const std::string& name) {
  for (const char* place : {"", "images", "data", "videos"}) {
    if (fs::path path = path_inside(folder / place, name); is_file(path)) return path;
  }
  throw Error(ErrorCode::kNotFound, format("image '{}': must be there", name));
}

class Guide3dLister {
 public:
  Guide3dLister(const fs::path& folder, const fs::path& json)
      : folder_(folder), where_(json.string()) {
    // Frames of camera B follow those of camera A: pictures of one sequence are sorted by number.
    // Both views are one sequence, since they show the same wire at the same time.
    for (auto& video : parse_guide3d(read_text_file(json, kMaxGuide3dBytes), where_)) {
      for (auto& frame : video.frames) add(video, frame.a, frame.number, "camera A");
      for (auto& frame : video.frames) {
        add(video, frame.b, video.frame_count + frame.number, "camera B");
      }
    }
    if (without_line_ > 0) {
      out_.remarks.push_back(
          format("{} pictures have no line of two points and are left out", without_line_));
    }
    note_count(out_, "Guide3D", "pictures", std::ssize(out_.samples), kPublishedFrames);
  }

  Listing take() { return std::move(out_); }

 private:
  void add(const Guide3dVideo& video,
           std::optional<Guide3dView>& view,
           int64_t number,
           const char* subset) {
    if (!view) return;
    if (view->line.size() < 2) {
      ++without_line_;
      return;
    }
    Sample sample;
    try {
      sample.image = find_image(folder_, view->image);
    } catch (const Error& error) {
      out_.problems.push_back(format("'{}': {}", where_, error.what()));
      return;
    }
    sample.id = fs::path(view->image).lexically_normal().replace_extension().generic_string();
    sample.dataset = "Guide3D";
    sample.subset = subset;
    sample.sequence = video.name;
    sample.frame = number;
    sample.role = Role::kTrain;
    sample.classes = binary_class_map(WireClass::kGuidewire, 1);
    out_.made.push_back({.sample = out_.samples.size(),
                         .part = MadePicture::Part::kMask,
                         .name = "mask/" + sample.id,
                         .make = [path = sample.image, line = std::move(view->line)] {
                           const auto picture = read_picture(path);
                           return PlainPicture{
                               picture.width,
                               picture.height,
                               image::polyline_mask(line, kRadius, picture.width, picture.height)};
                         }});
    out_.samples.push_back(std::move(sample));
  }

  fs::path folder_;
  std::string where_;
  Listing out_;
  int64_t without_line_ = 0;
};

}  // namespace

DatasetReader guide3d_reader() {
  return {.name = "guide3d",
          .licence = "free for non-commercial use, by its classifier; no licence file",
          .summary =
              "Guide3D, pairs of 1024x1024 pictures of a wire in a phantom from two sides; "
              "both views of a video are one sequence. Masks are 2 px wide, as its authors "
              "draw them",
          .layout =
              "raw.json or b_spline.json (also in annotations/) and the pictures they name, "
              "such as 1-bca-angle-5-1/000.png",
          .recognises = [](const fs::path& folder) { return !annotation_file(folder).empty(); },
          .list =
              [](const fs::path& folder) {
                const fs::path json = annotation_file(folder);
                VOXLOOM_CHECK(!json.empty(),
                              ErrorCode::kNotFound,
                              "data '{}': must hold raw.json or b_spline.json",
                              folder.string());
                return Guide3dLister(folder, json).take();
              }};
}

}  // namespace voxloom::dataset
