#include "voxloom/infer/prompt_plan.h"

#include <algorithm>
#include <map>

#include "voxloom/core/error.h"

namespace voxloom::infer {
namespace {

Rect rect_of(const BoxPrompt& box) {
  return {box.lo[0], box.lo[1], box.hi[0], box.hi[1]};
}

int64_t key_of(const BoxPrompt& box) {
  return (box.lo[2] + box.hi[2]) / 2;
}

SliceClick click_of(const PointPrompt& point) {
  return {point.voxel[0], point.voxel[1], point.positive};
}

/// Key slices of boxes and masks; points that lie on them are added there.
std::map<int64_t, KeySlice> explicit_keys(const ObjectPrompt& object) {
  std::map<int64_t, KeySlice> keys;
  for (const auto& box : object.boxes) {
    auto& key = keys[key_of(box)];
    key.z = key_of(box);
    key.box = rect_of(box);
  }
  for (size_t i = 0; i < object.masks.size(); ++i) {
    auto& key = keys[object.masks[i].z];
    key.z = object.masks[i].z;
    key.mask = i;
  }
  for (const auto& point : object.points) {
    const auto found = keys.find(point.voxel[2]);
    if (found != keys.end()) found->second.points.push_back(click_of(point));
  }
  return keys;
}

/// The key slice between two neighbouring slices with points; none without a positive point.
std::optional<KeySlice> pair_key(int64_t z0,
                                 const std::vector<SliceClick>& first,
                                 int64_t z1,
                                 const std::vector<SliceClick>& second) {
  KeySlice key;
  key.z = (z0 + z1) / 2;
  std::vector<SliceClick> all = first;
  all.insert(all.end(), second.begin(), second.end());
  Rect box;
  bool any = false;
  for (const auto& click : all) {
    if (!click.positive) continue;
    box = any ? Rect{std::min(box.x0, click.x),
                     std::min(box.y0, click.y),
                     std::max(box.x1, click.x),
                     std::max(box.y1, click.y)}
              : Rect{click.x, click.y, click.x, click.y};
    any = true;
  }
  if (!any) return std::nullopt;
  const bool small = box.width() < kSmallestPairBox || box.height() < kSmallestPairBox;
  if (!small) key.box = box;
  for (const auto& click : all) {
    // The same pixel clicked on both slices is one point of the key slice.
    const bool wanted = small || !click.positive;
    if (wanted && std::find(key.points.begin(), key.points.end(), click) == key.points.end()) {
      key.points.push_back(click);
    }
  }
  return key;
}

/// Adds `key`; on a slice that a box or mask claimed already, only its points.
void add_key(std::map<int64_t, KeySlice>& keys, const KeySlice& key) {
  const auto [where, fresh] = keys.emplace(key.z, key);
  if (fresh) return;
  auto& points = where->second.points;
  points.insert(points.end(), key.points.begin(), key.points.end());
}

using PointsBySlice = std::map<int64_t, std::vector<SliceClick>>;

/// The points on slices without a box or mask. What can't have an effect is noted and left out.
PointsBySlice free_points_of(const ObjectPrompt& object,
                             const std::map<int64_t, KeySlice>& keys,
                             bool one_deep_box,
                             std::vector<std::string>& notes) {
  PointsBySlice points;
  for (const auto& point : object.points) {
    const int64_t z = point.voxel[2];
    if (keys.count(z) != 0) continue;
    if (one_deep_box && (z < object.boxes[0].lo[2] || z > object.boxes[0].hi[2])) {
      notes.push_back(
          format("object '{}': the negative point {} lies outside the box's slices and "
                 "changes nothing",
                 object.name,
                 point.voxel));
      continue;
    }
    points[z].push_back(click_of(point));
  }
  const bool none_positive = std::none_of(points.begin(), points.end(), [](const auto& entry) {
    return std::any_of(entry.second.begin(), entry.second.end(), [](const SliceClick& click) {
      return click.positive;
    });
  });
  if (none_positive && !keys.empty()) {
    for (const auto& [z, clicks] : points) {
      notes.push_back(format(
          "object '{}': slice {} has negative points only and is no key slice", object.name, z));
    }
    points.clear();
  }
  return points;
}

/// Lowest and highest slice of the boxes, masks and free points.
std::array<int64_t, 2> prompted_range(const ObjectPrompt& object, const PointsBySlice& points) {
  std::array<int64_t, 2> range{INT64_MAX, INT64_MIN};
  const auto include = [&range](int64_t z) {
    range = {std::min(range[0], z), std::max(range[1], z)};
  };
  for (const auto& [z, clicks] : points) include(z);
  for (const auto& box : object.boxes) {
    include(box.lo[2]);
    include(box.hi[2]);
  }
  for (const auto& mask : object.masks) include(mask.z);
  return range;
}

void limit_range(ObjectPlan& plan, const SegmentOptions& options) {
  if (options.slice_range) {
    const auto& limits = *options.slice_range;
    const int64_t lo = std::max(plan.z_lo, limits[0]), hi = std::min(plan.z_hi, limits[1]);
    VOXLOOM_CHECK(lo <= hi,
                  ErrorCode::kInvalidArgument,
                  "--slice-range: must overlap the object's slices {} to {}, got {} to {}",
                  plan.z_lo,
                  plan.z_hi,
                  limits[0],
                  limits[1]);
    VOXLOOM_CHECK(plan.two_ended || (plan.keys[0].z >= lo && plan.keys[0].z <= hi),
                  ErrorCode::kInvalidArgument,
                  "--slice-range: must hold the key slice {}, got {} to {}",
                  plan.keys[0].z,
                  limits[0],
                  limits[1]);
    plan.z_lo = lo;
    plan.z_hi = hi;
  }
  if (options.max_slices > 0) {
    const int64_t lo = std::max(plan.z_lo, plan.keys.front().z - options.max_slices);
    const int64_t hi = std::min(plan.z_hi, plan.keys.back().z + options.max_slices);
    VOXLOOM_CHECK(lo <= hi,
                  ErrorCode::kInvalidArgument,
                  "--max-slices: must reach --slice-range from the key slices {} to {}, got {}",
                  plan.keys.front().z,
                  plan.keys.back().z,
                  options.max_slices);
    plan.z_lo = lo;
    plan.z_hi = hi;
  }
}

void add_passes(ObjectPlan& plan, Direction direction) {
  const int64_t key = plan.keys[0].z;
  if (direction != Direction::kBackward) {
    plan.passes.push_back({true, plan.two_ended ? plan.z_lo : key, plan.z_hi});
  }
  if (direction != Direction::kForward) {
    plan.passes.push_back({false, plan.two_ended ? plan.z_hi : key, plan.z_lo});
  }
  // One half only: the other side of the key slice is not written.
  if (!plan.two_ended && direction == Direction::kForward) plan.z_lo = key;
  if (!plan.two_ended && direction == Direction::kBackward) plan.z_hi = key;
}

}  // namespace

ObjectPlan plan_object(const ObjectPrompt& object,
                       const image::Geometry& geometry,
                       const SegmentOptions& options) {
  ObjectPlan plan;
  auto keys = explicit_keys(object);
  const bool one_deep_box = object.boxes.size() == 1 && object.masks.empty() &&
                            object.boxes[0].lo[2] < object.boxes[0].hi[2];

  const auto free_points = free_points_of(object, keys, one_deep_box, plan.notes);
  if (free_points.size() == 1) {
    add_key(keys, {free_points.begin()->first, std::nullopt, free_points.begin()->second, {}});
  }
  for (auto it = free_points.begin(); it != free_points.end(); ++it) {
    const auto next = std::next(it);
    if (next == free_points.end()) break;
    const auto key = pair_key(it->first, it->second, next->first, next->second);
    if (!key) continue;
    add_key(keys, *key);
    if (options.clip_box && key->box) plan.clips.push_back({it->first, next->first, *key->box});
  }
  for (const auto& [z, key] : keys) plan.keys.push_back(key);
  VOXLOOM_CHECK(!plan.keys.empty(),
                ErrorCode::kInvalidArgument,
                "object '{}': must have a positive point, a box or a mask",
                object.name);
  if (options.clip_box) {
    for (const auto& box : object.boxes) {
      plan.clips.push_back({box.lo[2], box.hi[2], rect_of(box)});
    }
  }

  plan.two_ended = free_points.size() >= 2 || plan.keys.size() >= 2;
  const auto prompted = prompted_range(object, free_points);
  if (one_deep_box) {
    plan.z_lo = object.boxes[0].lo[2];
    plan.z_hi = object.boxes[0].hi[2];
  } else if (plan.two_ended && !options.extend) {
    plan.z_lo = prompted[0];
    plan.z_hi = prompted[1];
  } else {
    plan.z_lo = 0;
    plan.z_hi = geometry.size[2] - 1;
  }
  limit_range(plan, options);
  add_passes(plan, options.direction);
  return plan;
}

bool may_write(const ObjectPlan& plan, int64_t x, int64_t y, int64_t z) {
  if (z < plan.z_lo || z > plan.z_hi) return false;
  bool clipped = false;
  for (const auto& clip : plan.clips) {
    if (z < clip.z0 || z > clip.z1) continue;
    if (clip.rect.contains(x, y)) return true;
    clipped = true;
  }
  return !clipped;
}

}  // namespace voxloom::infer
