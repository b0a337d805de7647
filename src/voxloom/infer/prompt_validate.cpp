#include <algorithm>
#include <map>

#include "voxloom/core/error.h"
#include "voxloom/infer/prompt_parse.h"

namespace voxloom::infer {
namespace {

/// Collects problems, so that a person can mend all of them at once.
class Problems {
 public:
  template <class... Args>
  void add(std::string_view pattern, const Args&... args) {
    ++count_;
    if (count_ <= kShown) text_ += (text_.empty() ? "" : "; ") + format(pattern, args...);
  }
  void raise() const {
    if (count_ == 0) return;
    const std::string rest = count_ > kShown ? format("; and {} more", count_ - kShown) : "";
    throw Error(ErrorCode::kInvalidArgument, text_ + rest);
  }

 private:
  static constexpr int kShown = 20;
  int count_ = 0;
  std::string text_;
};

void check_points(const ObjectPrompt& object, const image::Geometry& geometry, Problems& problems) {
  std::map<image::Index3, bool> seen;
  for (size_t i = 0; i < object.points.size(); ++i) {
    const auto& point = object.points[i];
    if (!geometry.contains(point.voxel)) {
      problems.add("object '{}': point {} must lie inside the volume of {} voxels, got {}",
                   object.name,
                   i + 1,
                   geometry.size,
                   point.voxel);
      continue;
    }
    const auto [where, fresh] = seen.emplace(point.voxel, point.positive);
    if (fresh) continue;
    if (where->second == point.positive) {
      problems.add("object '{}': point {} must be given once, got {} again",
                   object.name,
                   i + 1,
                   point.voxel);
    } else {
      problems.add("object '{}': point {} must be positive or negative, got both at {}",
                   object.name,
                   i + 1,
                   point.voxel);
    }
  }
}

void check_boxes(const ObjectPrompt& object, const image::Geometry& geometry, Problems& problems) {
  std::map<int64_t, size_t> key_slices;
  for (size_t i = 0; i < object.boxes.size(); ++i) {
    const auto& box = object.boxes[i];
    bool ordered = true;
    for (size_t a = 0; a < 3; ++a) ordered = ordered && box.lo[a] <= box.hi[a];
    if (!ordered) {
      problems.add("object '{}': box {} must have its lower corner first, got {} and {}",
                   object.name,
                   i + 1,
                   box.lo,
                   box.hi);
    } else if (!geometry.contains(box.lo) || !geometry.contains(box.hi)) {
      problems.add("object '{}': box {} must lie inside the volume of {} voxels, got {} to {}",
                   object.name,
                   i + 1,
                   geometry.size,
                   box.lo,
                   box.hi);
    } else {
      const auto [where, fresh] = key_slices.emplace((box.lo[2] + box.hi[2]) / 2, i + 1);
      if (!fresh) {
        problems.add(
            "object '{}': boxes {} and {} must have key slices of their own, got slice {} "
            "twice (start another object for another structure)",
            object.name,
            where->second,
            i + 1,
            where->first);
      }
    }
  }
}

void check_masks(const ObjectPrompt& object, const image::Geometry& geometry, Problems& problems) {
  std::map<int64_t, size_t> slices;
  for (size_t i = 0; i < object.masks.size(); ++i) {
    const auto& mask = object.masks[i];
    if (mask.z < 0 || mask.z >= geometry.size[2]) {
      problems.add("object '{}': mask {} must lie on a slice 0 to {}, got slice {}",
                   object.name,
                   i + 1,
                   geometry.size[2] - 1,
                   mask.z);
    } else if (mask.pixels.size() != static_cast<size_t>(geometry.size[0] * geometry.size[1])) {
      problems.add("object '{}': mask {} must have {} x {} pixels, got {} values",
                   object.name,
                   i + 1,
                   geometry.size[0],
                   geometry.size[1],
                   mask.pixels.size());
    } else if (std::none_of(
                   mask.pixels.begin(), mask.pixels.end(), [](uint8_t v) { return v != 0; })) {
      problems.add("object '{}': mask {} on slice {} must select a pixel, got an empty mask",
                   object.name,
                   i + 1,
                   mask.z);
    }
    if (!slices.emplace(mask.z, i + 1).second) {
      problems.add("object '{}': slice {} must have one mask, got two", object.name, mask.z);
    }
    for (const auto& box : object.boxes) {
      if ((box.lo[2] + box.hi[2]) / 2 == mask.z) {
        problems.add(
            "object '{}': key slice {} must have a box or a mask, got both", object.name, mask.z);
      }
    }
  }
}

}  // namespace

void validate_prompts(const std::vector<ObjectPrompt>& objects, const image::Geometry& geometry) {
  Problems problems;
  if (objects.empty()) problems.add("prompts: must name an object with a point, box or mask");
  std::map<uint16_t, std::string> values;
  for (const auto& object : objects) {
    if (object.value == 0) {
      problems.add("object '{}': value must lie within [1, 65535], got 0", object.name);
    } else if (const auto [where, fresh] = values.emplace(object.value, object.name); !fresh) {
      problems.add("object '{}': value {} must be its own, got that of object '{}'",
                   object.name,
                   object.value,
                   where->second);
    }
    const bool positive = !object.boxes.empty() || !object.masks.empty() ||
                          std::any_of(object.points.begin(),
                                      object.points.end(),
                                      [](const PointPrompt& p) { return p.positive; });
    if (!positive) {
      problems.add("object '{}': must have a positive point, a box or a mask, got {}",
                   object.name,
                   object.points.empty() ? "no prompt" : "negative points only");
    }
    check_points(object, geometry, problems);
    check_boxes(object, geometry, problems);
    check_masks(object, geometry, problems);

    // One 3-D box has strict ends: a positive click beyond them contradicts it.
    if (object.boxes.size() == 1 && object.masks.empty() &&
        object.boxes[0].lo[2] < object.boxes[0].hi[2]) {
      const auto& box = object.boxes[0];
      for (const auto& point : object.points) {
        if (point.positive && (point.voxel[2] < box.lo[2] || point.voxel[2] > box.hi[2])) {
          problems.add("object '{}': positive point {} must lie on the slices {} to {} of its box",
                       object.name,
                       point.voxel,
                       box.lo[2],
                       box.hi[2]);
        }
      }
    }
  }
  problems.raise();
}

}  // namespace voxloom::infer
