#include "voxloom/infer/geodesic_local.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "voxloom/image/distance.h"
#include "voxloom/infer/geodesic_front.h"

namespace voxloom::infer::geodesic {
namespace {

constexpr double kNear = 4.0;        // Voxels: missing parts nearer than this are local.
constexpr double kReach = 2.5;       // Times the distance to the border.
constexpr double kOwnMiddle = 0.5;   // Share of the depth uphill that makes a click global.
constexpr double kLeastDeep = 2.0;   // Voxels.
constexpr int64_t kLookAround = 16;  // Voxels: how far uphill, or for the region, is looked.
constexpr double kBridge = 2.0;      // Voxels: nearer clicks stay connected with the region.

double finest_of(const image::Vec3& spacing_mm) {
  return *std::min_element(spacing_mm.begin(), spacing_mm.end());
}

double distance_mm(const image::Index3& a, const image::Index3& b, const image::Vec3& spacing_mm) {
  double squares = 0.0;
  for (size_t k = 0; k < 3; ++k) {
    const double d = static_cast<double>(a[k] - b[k]) * spacing_mm[k];
    squares += d * d;
  }
  return std::sqrt(squares);
}

/// The voxels within `radius_mm` of `middle`, as a box; not bounded by any image.
Region box_around(const image::Index3& middle, double radius_mm, const image::Vec3& spacing_mm) {
  Region box;
  for (size_t a = 0; a < 3; ++a) {
    const auto n = static_cast<int64_t>(std::floor(radius_mm / spacing_mm[a] + 1e-6));
    box.lo[a] = middle[a] - n;
    box.hi[a] = middle[a] + n;
  }
  return box;
}

Region common(const Region& a, const Region& b) {
  Region out;
  for (size_t k = 0; k < 3; ++k) {
    out.lo[k] = std::max(a.lo[k], b.lo[k]);
    out.hi[k] = std::min(a.hi[k], b.hi[k]);
  }
  return out;
}

template <class Fn>
void for_each_position(const Region& region, Fn&& fn) {
  for (int64_t z = region.lo[2]; z <= region.hi[2]; ++z) {
    for (int64_t y = region.lo[1]; y <= region.hi[1]; ++y) {
      for (int64_t x = region.lo[0]; x <= region.hi[0]; ++x) fn(image::Index3{x, y, z});
    }
  }
}

/// The voxel of the patch nearest to `voxel`, none further than `limit_mm`; its distance.
struct Nearest {
  double mm = std::numeric_limits<double>::infinity();
  image::Index3 voxel{};
};

Nearest nearest_in(const Patch& patch,
                   const image::Index3& voxel,
                   double limit_mm,
                   const image::Vec3& spacing_mm) {
  Nearest nearest;
  for_each_position(box_around(voxel, limit_mm, spacing_mm), [&](const image::Index3& at) {
    const double d = distance_mm(at, voxel, spacing_mm);
    if (d <= limit_mm && d < nearest.mm && patch.contains(at)) nearest = {d, at};
  });
  return nearest;
}

/// Depth in mm of the voxel within the patch, and of the deepest place uphill from it.
std::pair<double, double> depths_at(const Patch& patch,
                                    const image::Index3& voxel,
                                    const image::Vec3& spacing_mm) {
  const auto box = common(
      box_around(voxel, static_cast<double>(kLookAround) * finest_of(spacing_mm), spacing_mm),
      patch.region);
  const auto size = box.size();
  std::vector<uint8_t> outside;
  outside.reserve(static_cast<size_t>(box.voxel_count()));
  for_each_position(
      box, [&](const image::Index3& at) { outside.push_back(patch.contains(at) ? 0 : 1); });
  const auto depth = image::distance_to(outside, size, spacing_mm);
  const auto at = [&](const image::Index3& v) {
    return depth[static_cast<size_t>(((v[2] - box.lo[2]) * size[1] + v[1] - box.lo[1]) * size[0] +
                                     v[0] - box.lo[0])];
  };
  image::Index3 here = voxel;
  for (;;) {
    image::Index3 best = here;
    for_each_position(
        common({{here[0] - 1, here[1] - 1, here[2] - 1}, {here[0] + 1, here[1] + 1, here[2] + 1}},
               box),
        [&](const image::Index3& v) {
          if (at(v) > at(best)) best = v;
        });
    if (best == here) break;
    here = best;
  }
  return {static_cast<double>(at(voxel)), static_cast<double>(at(here))};
}

}  // namespace

ClickRole role_of(const Patch& patch,
                  const image::Index3& voxel,
                  bool positive,
                  const image::Vec3& spacing_mm) {
  using Kind = ClickRole::Kind;
  if (patch.contains(voxel) == positive) return {Kind::kAgrees};
  const double finest = finest_of(spacing_mm);
  if (positive) {
    const double around = static_cast<double>(kLookAround) * finest;
    const auto nearest = nearest_in(patch, voxel, around, spacing_mm);
    if (std::isinf(nearest.mm)) return {Kind::kGlobal};
    return {nearest.mm > kNear * finest ? Kind::kGlobal : Kind::kLocal, kReach * nearest.mm};
  }
  const auto [depth, uphill] = depths_at(patch, voxel, spacing_mm);
  if (std::isinf(depth) || (depth >= kLeastDeep * finest && depth >= kOwnMiddle * uphill)) {
    return {Kind::kGlobal};
  }
  return {Kind::kLocal, kReach * depth};
}

void apply(const LocalEdit& edit,
           std::span<const image::Index3> opposed,
           const Field& field,
           const std::array<int64_t, 2>& slices,
           std::span<const uint8_t> blocked,
           Patch& patch,
           const CancelToken& stop) {
  if (patch.contains(edit.voxel) == edit.add) return;
  Region box = common(box_around(edit.voxel, edit.reach_mm, field.spacing_mm), field.region);
  box = common(box, {{box.lo[0], box.lo[1], slices[0]}, {box.hi[0], box.hi[1], slices[1]}});
  if (!box.contains(edit.voxel)) return;
  if (edit.add) patch = join(patch, {box, std::vector<uint8_t>(box.voxel_count(), 0)});
  const double finest = finest_of(field.spacing_mm);

  const Lattice lattice(box.size(), field.spacing_mm);
  const auto local = [&](const image::Index3& v) {
    return ((v[2] - box.lo[2]) * lattice.size[1] + v[1] - box.lo[1]) * lattice.size[0] + v[0] -
           box.lo[0];
  };
  enum Owner : uint8_t { kClosed, kOpen, kClick, kContrary };
  std::vector<uint8_t> owner(static_cast<size_t>(box.voxel_count()), kClosed);
  std::vector<int64_t> rim, contrary;
  for_each_position(box, [&](const image::Index3& at) {
    const double away = distance_mm(at, edit.voxel, field.spacing_mm);
    const auto in_field = static_cast<size_t>(field.index(at));
    if (away > edit.reach_mm + 1e-6 || patch.contains(at) == edit.add) return;
    if (edit.add && !blocked.empty() && blocked[in_field] != 0) return;
    const int64_t i = local(at);
    owner[static_cast<size_t>(i)] = kOpen;
    const bool said = std::find(opposed.begin(), opposed.end(), at) != opposed.end();
    if (away <= edit.reach_mm - finest && !said) return;
    contrary.push_back(i);
    rim.push_back(static_cast<int64_t>(in_field));
  });
  const CostWeights weights;
  const LocalCost own(field, edit.appearance, weights);
  const LocalCost others(field, rim.empty() ? edit.appearance : measure(field, rim), weights);
  FrontScratch scratch;
  scratch.fit(owner.size());
  {
    Front front(lattice, scratch, lattice.longest() * own.highest());
    const auto start = [&](int64_t i, Owner who) {
      owner[static_cast<size_t>(i)] = who;
      front.seed(i);
    };
    start(local(edit.voxel), kClick);
    for (const int64_t i : contrary) {
      if (i != local(edit.voxel)) start(i, kContrary);
    }
    for (int64_t i = front.pop(); i >= 0; i = front.pop()) {
      const auto at = lattice.position(i);
      const uint8_t mine = owner[static_cast<size_t>(i)];
      for (size_t a = 0; a < 3; ++a) {
        for (const int64_t side : {int64_t{-1}, int64_t{1}}) {
          if (at[a] + side < 0 || at[a] + side >= lattice.size[a]) continue;
          const int64_t n = i + side * lattice.stride[a];
          if (owner[static_cast<size_t>(n)] == kClosed || front.done(n)) continue;
          auto next = at;
          next[a] += side;
          const int64_t in_field =
              field.index({box.lo[0] + next[0], box.lo[1] + next[1], box.lo[2] + next[2]});
          const float cost = mine == kClick ? own(in_field) : others(in_field);
          if (front.relax(n, next, cost)) owner[static_cast<size_t>(n)] = mine;
        }
      }
    }
  }
  stop.check();
  // Before the mask changes: a voxel beside the region only by an edge would be cut off again.
  const auto nearest =
      edit.add ? nearest_in(patch, edit.voxel, kBridge * finest, field.spacing_mm) : Nearest{};
  for_each_position(box, [&](const image::Index3& at) {
    if (owner[static_cast<size_t>(local(at))] == kClick) {
      patch.mask[static_cast<size_t>(patch.index(at))] = edit.add ? 1 : 0;
    }
  });
  if (std::isinf(nearest.mm)) return;
  for (auto at = nearest.voxel; at != edit.voxel;) {
    const auto open = [&](size_t a) { return at[a] != edit.voxel[a]; };
    const size_t a = open(0) ? 0 : (open(1) ? 1 : 2);
    at[a] += at[a] < edit.voxel[a] ? 1 : -1;
    const auto i = static_cast<size_t>(local(at));
    if (owner[i] != kClosed && std::find(opposed.begin(), opposed.end(), at) == opposed.end()) {
      patch.mask[static_cast<size_t>(patch.index(at))] = 1;
    }
  }
}

}  // namespace voxloom::infer::geodesic
