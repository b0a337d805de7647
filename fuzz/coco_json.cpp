// Outlines in JSON files of data sets: COCO's annotations and Guide3D's. Any text gives annotations
// or an Error; what was read gives masks of the images' sizes, with ids that the categories have.
#include <algorithm>
#include <cstdint>
#include <string_view>

#include "voxloom/core/error.h"
#include "voxloom/dataset/coco.h"
#include "voxloom/dataset/guide3d.h"
#include "voxloom/image/polyline_mask.h"

namespace {

using namespace voxloom;

/// Larger pictures take longer than a fuzzer should; their size is what a file may choose.
constexpr int64_t kMaxPixels = 1 << 16;

void check_coco(std::string_view text) {
  const auto file = dataset::parse_coco(text, "fuzz");
  const auto ids = dataset::coco_mask_ids(file, "fuzz");
  for (const auto& image : file.images) {
    if (image.width * image.height > kMaxPixels) continue;
    const auto mask = dataset::coco_mask(image, ids);
    if (std::ssize(mask) != image.width * image.height) __builtin_trap();
    for (const uint8_t id : mask) {
      const bool known = id == 0 || id == dataset::kCocoCrowdId ||
                         std::any_of(ids.begin(), ids.end(), [id](const auto& entry) {
                           return entry.second == id;
                         });
      if (!known) __builtin_trap();
    }
  }
}

void check_guide3d(std::string_view text) {
  for (const auto& video : dataset::parse_guide3d(text, "fuzz")) {
    for (const auto& frame : video.frames) {
      if (frame.number >= video.frame_count) __builtin_trap();
      for (const auto* view : {&frame.a, &frame.b}) {
        if (*view) static_cast<void>(image::polyline_mask((*view)->line, 1.0, 64, 48));
      }
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const auto check : {check_coco, check_guide3d}) {
    try {
      check(text);
    } catch (const Error&) {
    }
  }
  return 0;
}
