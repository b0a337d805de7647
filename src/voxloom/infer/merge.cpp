#include "voxloom/infer/merge.h"

#include <algorithm>

#include "voxloom/core/error.h"
#include "voxloom/image/components.h"

namespace voxloom::infer {
namespace {

/// 26-connected parts of a run mask.
image::ComponentMap parts_of(const RunMask& mask) {
  const int64_t height = mask.size()[1];
  return image::label_components(
      mask.size(),
      image::Connectivity::kCorners,
      [&mask, height](int64_t row, std::vector<image::ComponentMap::Run>& runs) {
        const auto y = static_cast<int32_t>(row % height);
        const auto& slice = mask.runs(row / height);
        auto run = std::lower_bound(
            slice.begin(), slice.end(), y, [](const Run& r, int32_t value) { return r.y < value; });
        for (; run != slice.end() && run->y == y; ++run) runs.push_back({run->x0, run->x1 + 1, 0});
      });
}

/// The parts with a non-zero entry in `wanted` as a mask.
RunMask extract(const image::ComponentMap& parts, const std::vector<uint8_t>& wanted) {
  RunMask out(parts.size);
  const int64_t height = parts.size[1];
  for (int64_t z = 0; z < parts.size[2]; ++z) {
    std::vector<Run> runs;
    for (int64_t y = 0; y < height; ++y) {
      const auto row = static_cast<size_t>(z * height + y);
      for (int64_t i = parts.row_begin[row]; i < parts.row_begin[row + 1]; ++i) {
        const auto& run = parts.runs[static_cast<size_t>(i)];
        if (wanted[static_cast<size_t>(run.component)] != 0) {
          runs.push_back({static_cast<int32_t>(y), run.begin, run.end - 1});
        }
      }
    }
    if (!runs.empty()) out.set_runs(z, std::move(runs));
  }
  return out;
}

/// The part that holds a voxel, -1: none.
int64_t part_at(const image::ComponentMap& parts, const image::Index3& voxel) {
  const auto row = static_cast<size_t>(voxel[2] * parts.size[1] + voxel[1]);
  for (int64_t i = parts.row_begin[row]; i < parts.row_begin[row + 1]; ++i) {
    const auto& run = parts.runs[static_cast<size_t>(i)];
    if (run.begin <= voxel[0] && run.end > voxel[0]) return run.component;
  }
  return -1;
}

/// One entry a part: whether it holds a positive point.
std::vector<uint8_t> parts_with_points(const image::ComponentMap& parts,
                                       const std::vector<PointPrompt>& points) {
  std::vector<uint8_t> found(parts.components.size(), 0);
  for (const auto& point : points) {
    const int64_t part = point.positive ? part_at(parts, point.voxel) : -1;
    if (part >= 0) found[static_cast<size_t>(part)] = 1;
  }
  return found;
}

enum class Join { kUnion, kIntersection, kDifference };

RunMask combine(const RunMask& a, const RunMask& b, Join join) {
  RunMask out(a.size());
  for (int64_t z = 0; z < a.size()[2]; ++z) {
    if (a.runs(z).empty() && b.runs(z).empty()) continue;
    auto pixels = a.slice(z);
    const auto other = b.slice(z);
    for (size_t i = 0; i < pixels.size(); ++i) {
      const bool in_a = pixels[i] != 0, in_b = other[i] != 0;
      const bool set = join == Join::kUnion          ? in_a || in_b
                       : join == Join::kIntersection ? in_a && in_b
                                                     : in_a && !in_b;
      pixels[i] = static_cast<uint8_t>(set);
    }
    out.set_slice(z, pixels);
  }
  return out;
}

RunMask clipped(const RunMask& mask, const ObjectPlan& plan) {
  RunMask out(mask.size());
  for (int64_t z = plan.z_lo; z <= plan.z_hi; ++z) {
    const bool clip = std::any_of(plan.clips.begin(), plan.clips.end(), [z](const ClipRange& c) {
      return z >= c.z0 && z <= c.z1;
    });
    if (!clip) {
      out.set_runs(z, mask.runs(z));
      continue;
    }
    auto pixels = mask.slice(z);
    const int64_t width = mask.size()[0];
    for (const auto& run : mask.runs(z)) {
      for (int64_t x = run.x0; x <= run.x1; ++x) {
        if (!may_write(plan, x, run.y, z)) pixels[static_cast<size_t>(run.y * width + x)] = 0;
      }
    }
    out.set_slice(z, pixels);
  }
  return out;
}

void paint(const RunMask& mask, int64_t z, uint16_t value, std::span<uint16_t> slice) {
  for (const auto& run : mask.runs(z)) {
    const auto row = slice.begin() + run.y * mask.size()[0];
    std::fill(row + run.x0, row + run.x1 + 1, value);
  }
}

}  // namespace

RunMask::RunMask(const image::Index3& size) : size_(size), slices_(static_cast<size_t>(size[2])) {}

void RunMask::set_slice(int64_t z, std::span<const uint8_t> pixels) {
  const int64_t width = size_[0], height = size_[1];
  VOXLOOM_CHECK(static_cast<int64_t>(pixels.size()) == width * height,
                ErrorCode::kInternal,
                "slice mask: must have {} x {} pixels, got {}",
                width,
                height,
                pixels.size());
  std::vector<Run> runs;
  for (int64_t y = 0; y < height; ++y) {
    const uint8_t* row = pixels.data() + y * width;
    for (int64_t x = 0; x < width; ++x) {
      if (row[x] == 0) continue;
      const int64_t start = x;
      while (x + 1 < width && row[x + 1] != 0) ++x;
      runs.push_back(
          {static_cast<int32_t>(y), static_cast<int32_t>(start), static_cast<int32_t>(x)});
    }
  }
  set_runs(z, std::move(runs));
}

void RunMask::set_runs(int64_t z, std::vector<Run> runs) {
  runs.shrink_to_fit();
  slices_.at(static_cast<size_t>(z)) = std::move(runs);
}

std::vector<uint8_t> RunMask::slice(int64_t z) const {
  std::vector<uint8_t> pixels(static_cast<size_t>(size_[0] * size_[1]), 0);
  for (const auto& run : runs(z)) {
    const auto row = pixels.begin() + run.y * size_[0];
    std::fill(row + run.x0, row + run.x1 + 1, uint8_t{1});
  }
  return pixels;
}

int64_t RunMask::count() const {
  int64_t total = 0;
  for (const auto& slice : slices_) {
    for (const auto& run : slice) total += run.x1 - run.x0 + 1;
  }
  return total;
}

bool RunMask::empty() const {
  return std::all_of(slices_.begin(), slices_.end(), [](const auto& s) { return s.empty(); });
}

MergedMask merge_passes(const std::vector<const RunMask*>& passes,
                        const ObjectPlan& plan,
                        Merge merge) {
  VOXLOOM_CHECK(passes.size() == plan.passes.size() && !passes.empty(),
                ErrorCode::kInternal,
                "merge: must have {} pass masks, got {}",
                plan.passes.size(),
                passes.size());
  MergedMask merged;
  merged.certain = clipped(*passes[0], plan);
  merged.uncertain = RunMask(merged.certain.size());
  if (passes.size() == 1) return merged;
  const RunMask first = std::move(merged.certain);
  const RunMask second = clipped(*passes[1], plan);
  const bool both_needed = plan.two_ended && merge == Merge::kIntersection;
  merged.certain = combine(first, second, both_needed ? Join::kIntersection : Join::kUnion);
  if (both_needed) {
    merged.uncertain =
        combine(combine(first, second, Join::kUnion), merged.certain, Join::kDifference);
  }
  return merged;
}

void keep_largest(MergedMask& mask, const std::vector<PointPrompt>& points) {
  const bool two_kinds = !mask.uncertain.empty();
  const RunMask whole =
      two_kinds ? combine(mask.certain, mask.uncertain, Join::kUnion) : std::move(mask.certain);
  const auto whole_parts = parts_of(whole);
  auto keep = parts_with_points(whole_parts, points);
  if (!two_kinds || mask.certain.empty()) {
    if (const int64_t largest = whole_parts.largest(); largest >= 0) {
      keep[static_cast<size_t>(largest)] = 1;
    }
    (two_kinds ? mask.uncertain : mask.certain) = extract(whole_parts, keep);
    return;
  }
  const auto parts = parts_of(mask.certain);
  auto keep_certain = parts_with_points(parts, points);
  keep_certain[static_cast<size_t>(parts.largest())] = 1;
  // A point on an uncertain voxel keeps all that is connected to it.
  std::vector<uint8_t> by_uncertain_point(keep.size(), 0);
  for (const auto& point : points) {
    const int64_t part = point.positive ? part_at(whole_parts, point.voxel) : -1;
    if (part >= 0 && part_at(parts, point.voxel) < 0) {
      by_uncertain_point[static_cast<size_t>(part)] = 1;
    }
  }
  const auto& size = whole.size();
  for (size_t i = 0; i < parts.components.size(); ++i) {
    const int64_t first = parts.components[i].first_voxel;
    const auto around = static_cast<size_t>(part_at(
        whole_parts, {first % size[0], first / size[0] % size[1], first / (size[0] * size[1])}));
    if (by_uncertain_point[around] != 0) keep_certain[i] = 1;
    if (keep_certain[i] != 0) keep[around] = 1;
  }
  mask.uncertain = combine(extract(whole_parts, keep), mask.certain, Join::kDifference);
  mask.certain = extract(parts, keep_certain);
}

image::LabelVolume compose_labels(const image::Geometry& geometry,
                                  const std::vector<MergedObject>& objects,
                                  const CancelToken& stop) {
  image::LabelVolume labels(geometry);
  uint16_t highest = 0;
  bool uncertain = false;
  for (const auto& object : objects) {
    highest = std::max(highest, object.value);
    uncertain = uncertain || !object.mask.uncertain.empty();
    labels.labels.push_back({object.value, object.name});
  }
  VOXLOOM_CHECK(!uncertain || highest < 65535,
                ErrorCode::kInvalidArgument,
                "labels: must leave a value above the objects' for uncertain voxels, got {}",
                highest);
  const size_t plane = static_cast<size_t>(geometry.size[0] * geometry.size[1]);
  const auto uncertain_value = static_cast<uint16_t>(highest + 1);
  for (int64_t z = 0; z < geometry.size[2]; ++z) {
    stop.check();
    const auto slice = labels.voxels().subspan(static_cast<size_t>(z) * plane, plane);
    for (const auto& object : objects) paint(object.mask.uncertain, z, uncertain_value, slice);
    for (const auto& object : objects) paint(object.mask.certain, z, object.value, slice);
  }
  // An uncertain voxel may have been painted over by another object's certain one.
  if (uncertain) {
    const auto voxels = labels.voxels();
    if (std::find(voxels.begin(), voxels.end(), uncertain_value) != voxels.end()) {
      labels.labels.push_back({uncertain_value, "uncertain"});
    }
  }
  return labels;
}

}  // namespace voxloom::infer
