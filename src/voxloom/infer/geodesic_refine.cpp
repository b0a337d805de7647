#include "voxloom/infer/geodesic_refine.h"

#include <algorithm>
#include <cmath>

#include "voxloom/core/parallel.h"
#include "voxloom/image/components.h"
#include "voxloom/image/distance.h"
#include "voxloom/infer/geodesic_front.h"

namespace voxloom::infer::geodesic {
namespace {

/// Distance in mm from each voxel of the patch to the nearest one outside it. Beyond the patch's
/// region counts as inside: an object cut by the volume's side is not narrow there.
std::vector<float> depth_in(const Patch& patch, const image::Vec3& spacing_mm) {
  std::vector<uint8_t> outside(patch.mask.size());
  std::transform(patch.mask.begin(), patch.mask.end(), outside.begin(), [](uint8_t v) {
    return static_cast<uint8_t>(v == 0);
  });
  return image::distance_to(outside, patch.region.size(), spacing_mm);
}

/// Walks uphill to the middle of the part that holds `start`; returns its index.
int64_t climb(const std::vector<float>& depth, const image::Index3& size, int64_t start) {
  int64_t here = start;
  for (;;) {
    const int64_t x = here % size[0], y = here / size[0] % size[1], z = here / (size[0] * size[1]);
    int64_t best = here;
    for (int64_t dz = -1; dz <= 1; ++dz) {
      for (int64_t dy = -1; dy <= 1; ++dy) {
        for (int64_t dx = -1; dx <= 1; ++dx) {
          if (x + dx < 0 || y + dy < 0 || z + dz < 0 || x + dx >= size[0] || y + dy >= size[1] ||
              z + dz >= size[2]) {
            continue;
          }
          const int64_t n = here + (dz * size[1] + dy) * size[0] + dx;
          if (depth[static_cast<size_t>(n)] > depth[static_cast<size_t>(best)]) best = n;
        }
      }
    }
    if (best == here) return here;
    here = best;
  }
}

/// Gaussian blur along every axis, `sigma` in units of the finest spacing.
void blur(std::vector<float>& v,
          const image::Index3& size,
          const std::array<double, 3>& relative,
          double sigma) {
  std::vector<float> out(v.size());
  for (size_t axis = 0; axis < 3; ++axis) {
    const double s = sigma / relative[axis];
    const int64_t length = size[axis];
    const auto radius = std::min<int64_t>(length - 1, std::lround(std::ceil(2.5 * s)));
    if (radius < 1 || s < 0.2) continue;
    std::vector<float> kernel(static_cast<size_t>(radius) + 1);
    float total = 0.0F;
    for (int64_t k = 0; k <= radius; ++k) {
      kernel[static_cast<size_t>(k)] =
          static_cast<float>(std::exp(-0.5 * static_cast<double>(k * k) / (s * s)));
      total += kernel[static_cast<size_t>(k)] * (k == 0 ? 1.0F : 2.0F);
    }
    for (float& k : kernel) k /= total;
    const int64_t row = size[0];
    const int64_t stride = axis == 0 ? 1 : (axis == 1 ? row : row * size[1]);
    parallel_for(0, size[1] * size[2], 32, [&](int64_t first, int64_t last) {
      for (int64_t line = first; line < last; ++line) {
        const int64_t c = axis == 1 ? line % size[1] : line / size[1];
        const float* in = v.data() + line * row;
        float* to = out.data() + line * row;
        if (axis == 0) {
          for (int64_t x = 0; x < row; ++x) {
            float sum = kernel[0] * in[x];
            for (int64_t k = 1; k <= radius; ++k) {
              sum += kernel[static_cast<size_t>(k)] *
                     (in[std::max<int64_t>(0, x - k)] + in[std::min(row - 1, x + k)]);
            }
            to[x] = sum;
          }
          continue;
        }
        for (int64_t x = 0; x < row; ++x) to[x] = kernel[0] * in[x];
        for (int64_t k = 1; k <= radius; ++k) {
          const float* a = in - std::min(k, c) * stride;
          const float* b = in + std::min(k, length - 1 - c) * stride;
          const float w = kernel[static_cast<size_t>(k)];
          for (int64_t x = 0; x < row; ++x) to[x] += w * (a[x] + b[x]);
        }
      }
    });
    v.swap(out);
  }
}

std::array<double, 3> relative_spacing(const image::Vec3& spacing_mm) {
  const double finest = *std::min_element(spacing_mm.begin(), spacing_mm.end());
  return {spacing_mm[0] / finest, spacing_mm[1] / finest, spacing_mm[2] / finest};
}

/// Calls fn(patch index, field index) for every voxel of the patch.
template <class Fn>
void for_each_voxel(const Patch& patch, const Field& field, Fn&& fn) {
  const auto s = patch.region.size();
  for (int64_t line = 0; line < s[1] * s[2]; ++line) {
    const int64_t from = field.index(
        {patch.region.lo[0], patch.region.lo[1] + line % s[1], patch.region.lo[2] + line / s[1]});
    for (int64_t x = 0; x < s[0]; ++x) fn(line * s[0] + x, from + x);
  }
}

}  // namespace

Patch make_patch(const Field& field,
                 std::span<const uint32_t> voxels,
                 int64_t margin,
                 const std::array<int64_t, 2>& slices) {
  Patch patch;
  const auto& s = field.size;
  image::Index3 lo{INT64_MAX, INT64_MAX, INT64_MAX}, hi{0, 0, 0};
  const auto position = [&s](int64_t i) {
    return image::Index3{i % s[0], i / s[0] % s[1], i / (s[0] * s[1])};
  };
  for (const uint32_t i : voxels) {
    const auto at = position(i);
    for (size_t a = 0; a < 3; ++a) {
      lo[a] = std::min(lo[a], at[a]);
      hi[a] = std::max(hi[a], at[a]);
    }
  }
  if (voxels.empty()) return patch;
  for (size_t a = 0; a < 3; ++a) {
    patch.region.lo[a] = field.region.lo[a] + std::max<int64_t>(0, lo[a] - margin);
    patch.region.hi[a] = field.region.lo[a] + std::min(s[a] - 1, hi[a] + margin);
  }
  // The ends of the range are no border of the object: it goes on there, unseen.
  patch.region.lo[2] = std::max(patch.region.lo[2], slices[0]);
  patch.region.hi[2] = std::min(patch.region.hi[2], slices[1]);
  patch.mask.assign(static_cast<size_t>(patch.region.voxel_count()), 0);
  for (const uint32_t i : voxels) {
    auto at = position(i);
    for (size_t a = 0; a < 3; ++a) at[a] += field.region.lo[a];
    patch.mask[static_cast<size_t>(patch.index(at))] = 1;
  }
  return patch;
}

Patch join(const Patch& a, const Patch& b) {
  if (a.mask.empty()) return b;
  if (b.mask.empty()) return a;
  Patch out;
  for (size_t k = 0; k < 3; ++k) {
    out.region.lo[k] = std::min(a.region.lo[k], b.region.lo[k]);
    out.region.hi[k] = std::max(a.region.hi[k], b.region.hi[k]);
  }
  out.mask.assign(static_cast<size_t>(out.region.voxel_count()), 0);
  for (const Patch* part : {&a, &b}) {
    const auto s = part->region.size();
    for (int64_t line = 0; line < s[1] * s[2]; ++line) {
      const uint8_t* from = part->mask.data() + line * s[0];
      uint8_t* to = out.mask.data() + out.index({part->region.lo[0],
                                                 part->region.lo[1] + line % s[1],
                                                 part->region.lo[2] + line / s[1]});
      for (int64_t x = 0; x < s[0]; ++x) to[x] |= from[x];
    }
  }
  return out;
}

void intersect(Patch& patch, const Patch& other) {
  const auto s = patch.region.size();
  for (int64_t line = 0; line < s[1] * s[2]; ++line) {
    uint8_t* row = patch.mask.data() + line * s[0];
    const image::Index3 start{
        patch.region.lo[0], patch.region.lo[1] + line % s[1], patch.region.lo[2] + line / s[1]};
    for (int64_t x = 0; x < s[0]; ++x) {
      if (row[x] != 0 && !other.contains({start[0] + x, start[1], start[2]})) row[x] = 0;
    }
  }
}

void cut_narrow_passages(Patch& patch,
                         std::span<const image::Index3> seeds,
                         const image::Vec3& spacing_mm,
                         double leak_control) {
  if (leak_control <= 0.0 || patch.mask.empty()) return;
  const auto size = patch.region.size();
  const auto depth = depth_in(patch, spacing_mm);
  float half_width = 0.0F;
  std::vector<int64_t> tops;
  for (const auto& seed : seeds) {
    if (!patch.contains(seed)) continue;
    tops.push_back(climb(depth, size, patch.index(seed)));
    half_width = std::max(half_width, depth[static_cast<size_t>(tops.back())]);
  }
  const double radius = 0.5 * leak_control * half_width;
  if (tops.empty() || std::isinf(half_width) ||
      radius < *std::min_element(spacing_mm.begin(), spacing_mm.end())) {
    return;
  }
  std::vector<uint8_t> core(patch.mask.size());
  for (size_t i = 0; i < core.size(); ++i) core[i] = depth[i] > radius;
  const auto labels = image::label_components(core, size).to_labels();
  std::vector<int32_t> wanted;
  for (const int64_t top : tops) {
    const int32_t label = labels[static_cast<size_t>(top)];
    if (label != 0) wanted.push_back(label);
  }
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  if (wanted.empty()) return;
  for (size_t i = 0; i < core.size(); ++i) {
    core[i] = labels[i] != 0 && std::binary_search(wanted.begin(), wanted.end(), labels[i]);
  }
  const auto away = image::squared_distance_to(core, size, spacing_mm);
  // Half a voxel more: depth is measured to the centre of the first voxel outside.
  const double reach = radius + 0.5 * *std::max_element(spacing_mm.begin(), spacing_mm.begin() + 2);
  const auto limit = static_cast<float>(reach * reach);
  for (size_t i = 0; i < core.size(); ++i) {
    if (away[i] > limit) patch.mask[i] = 0;
  }
}

void share(Patch& patch,
           std::span<const Claim> claims,
           const Field& field,
           const CancelToken& stop) {
  const auto size = patch.region.size();
  const Lattice lattice(size, field.spacing_mm);
  const auto depth = depth_in(patch, field.spacing_mm);
  const double finest = *std::min_element(field.spacing_mm.begin(), field.spacing_mm.end());
  FrontScratch scratch;
  scratch.fit(patch.mask.size());
  std::vector<uint16_t> owner(patch.mask.size(), 0);
  std::vector<LocalCost> costs;
  for (const auto& claim : claims) costs.emplace_back(field, claim.appearance, CostWeights{});
  constexpr float kNarrow = 3.0F;
  const float highest = costs.empty() ? 1.0F : costs[0].highest() + kNarrow;
  Front front(lattice, scratch, lattice.longest() * highest);
  for (size_t c = 0; c < claims.size(); ++c) {
    for (const auto& seed : claims[c].seeds) {
      if (!patch.contains(seed)) continue;
      const int64_t i = patch.index(seed);
      owner[static_cast<size_t>(i)] = static_cast<uint16_t>(c + 1);
      front.seed(i);
    }
  }
  int64_t count = 0;
  for (int64_t i = front.pop(); i >= 0; i = front.pop()) {
    if (++count % 4096 == 0) stop.check();
    const auto at = lattice.position(i);
    const uint16_t mine = owner[static_cast<size_t>(i)];
    for (size_t a = 0; a < 3; ++a) {
      for (const int64_t side : {int64_t{-1}, int64_t{1}}) {
        if (at[a] + side < 0 || at[a] + side >= size[a]) continue;
        const int64_t n = i + side * lattice.stride[a];
        if (patch.mask[static_cast<size_t>(n)] == 0 || front.done(n)) continue;
        auto next = at;
        next[a] += side;
        const int64_t in_field = field.index({patch.region.lo[0] + next[0],
                                              patch.region.lo[1] + next[1],
                                              patch.region.lo[2] + next[2]});
        const float width = depth[static_cast<size_t>(n)] / static_cast<float>(finest);
        const float narrow = std::min(kNarrow, kNarrow / (width * width));
        if (front.relax(n, next, costs[mine - 1U](in_field) + narrow)) {
          owner[static_cast<size_t>(n)] = mine;
        }
      }
    }
  }
  for (size_t i = 0; i < patch.mask.size(); ++i) {
    if (owner[i] != 0 && !claims[owner[i] - 1U].own) patch.mask[i] = 0;
  }
}

void regularise(Patch& patch,
                const Field& field,
                std::span<const uint8_t> fixed,
                double smoothness,
                const CancelToken& stop) {
  if (smoothness <= 0.0 || patch.mask.empty()) return;
  const auto size = patch.region.size();
  const auto relative = relative_spacing(field.spacing_mm);
  const size_t count = patch.mask.size();
  std::vector<float> inside(count), inside_sum(count), outside(count), outside_sum(count);
  std::vector<float> intensity(count);
  for_each_voxel(patch, field, [&](int64_t i, int64_t in_field) {
    const auto at = static_cast<size_t>(i);
    const float in = patch.mask[at] != 0 ? 1.0F : 0.0F;
    const float v = field.smooth[static_cast<size_t>(in_field)];
    intensity[at] = v;
    inside[at] = in;
    inside_sum[at] = in * v;
    outside[at] = 1.0F - in;
    outside_sum[at] = (1.0F - in) * v;
  });
  // The border band and the data term, both from the mask as it came.
  std::vector<float> near = inside;
  blur(near, size, relative, 1.0);
  stop.check();
  constexpr double kNeighbourhood = 3.0;
  for (auto* v : {&inside, &inside_sum, &outside, &outside_sum}) {
    blur(*v, size, relative, kNeighbourhood);
    stop.check();
  }
  std::vector<float>& data = inside_sum;
  const auto noise_squared = static_cast<float>(4.0 * field.noise * field.noise);
  for (size_t i = 0; i < count; ++i) {
    if (inside[i] < 1e-3F || outside[i] < 1e-3F) {
      data[i] = 0.0F;
      continue;
    }
    const float in = inside_sum[i] / inside[i], out = outside_sum[i] / outside[i];
    const float contrast = in - out;
    const float d =
        (intensity[i] - 0.5F * (in + out)) * contrast / (contrast * contrast + noise_squared);
    data[i] = std::clamp(d, -0.5F, 0.5F);
  }
  const auto weight = static_cast<float>(1.0 / smoothness);
  const double width = 0.8 + 0.2 * std::min(10.0, smoothness);
  std::vector<float>& u = outside;
  constexpr int kRounds = 3;
  for (int round = 0; round < kRounds; ++round) {
    stop.check();
    for (size_t i = 0; i < count; ++i) u[i] = patch.mask[i] != 0 ? 1.0F : 0.0F;
    blur(u, size, relative, width);
    for (size_t i = 0; i < count; ++i) {
      if (fixed[i] != 0) {
        patch.mask[i] = fixed[i] == 1;
        continue;
      }
      if (near[i] < 0.02F || near[i] > 0.98F) continue;
      patch.mask[i] = u[i] - 0.5F + weight * data[i] > 0.0F;
    }
  }
}

}  // namespace voxloom::infer::geodesic
