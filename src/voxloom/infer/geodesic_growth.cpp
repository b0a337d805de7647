#include "voxloom/infer/geodesic_growth.h"

#include <algorithm>
#include <cmath>

namespace voxloom::infer::geodesic {
namespace {

// A front this small is noise: its score is damped by kSmallFront faces.
constexpr double kSmallFront = 60.0;
// Of two borders that are equally good the larger one is the object's more often: twice the voxels
// may have edges weaker by 3 %.
constexpr double kLarger = 0.04;
// The front goes on until it holds so many times the best level set, and is clearly worse.
constexpr size_t kLookFurther = 4;
constexpr size_t kLookAtLeast = 30000;
constexpr float kClearlyWorse = 0.75F;
// ... or twice the best level set when it is much worse.
constexpr float kMuchWorse = 0.5F;
// ... or at once when a border was sure, edges nearly all around, and has been left behind: else
// a vessel would lose to the head, whose border is a little weaker and a thousand times as large.
constexpr double kSure = 0.8;
constexpr double kLeftBehind = 0.75;
// Among level sets of nearly the best score the smaller one is the object.
constexpr float kNearlyBest = 0.97F;
// Where the size is expected: level sets of more than so many times that lose, by this exponent.
constexpr double kSizeTolerance = 2.0;
constexpr double kTooLarge = 0.15;

double size_bonus(size_t voxels) {
  return std::pow(static_cast<double>(voxels), kLarger);
}

}  // namespace

double edge_along_border(const Growth& growth, size_t prefix) {
  if (prefix == 0 || prefix > growth.score.size()) return 0.0;
  return static_cast<double>(growth.score[prefix - 1]) / size_bonus(prefix);
}

Appearance measure(const Field& field, std::span<const int64_t> voxels) {
  std::vector<float> values;
  values.reserve(voxels.size());
  for (const int64_t i : voxels) values.push_back(field.smooth[static_cast<size_t>(i)]);
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  Appearance a;
  a.mean = *middle;
  for (float& v : values) v = std::abs(v - static_cast<float>(a.mean));
  std::nth_element(values.begin(), middle, values.end());
  const double local = 1.4826 * static_cast<double>(*middle);
  a.spread = std::max(std::hypot(local, 2.0 * field.noise), 1e-6);
  return a;
}

LocalCost::LocalCost(const Field& field, const Appearance& appearance, const CostWeights& weights)
    : smooth_(field.smooth.data()),
      edge_(field.edge.data()),
      mean_(static_cast<float>(appearance.mean)),
      inverse_(static_cast<float>(1.0 / appearance.spread)),
      step_(static_cast<float>(weights.step)),
      deviation_(static_cast<float>(weights.deviation)),
      edge_weight_(static_cast<float>(weights.edge)),
      foreign_(appearance.foreign),
      lowest_(static_cast<float>(appearance.lowest)),
      bins_per_unit_(static_cast<float>(appearance.bins_per_unit)),
      last_bin_(static_cast<float>(foreign_.empty() ? 0 : foreign_.size() - 1)) {}

Growth grow(const Field& field,
            const image::Index3& volume_size,
            std::span<const int64_t> seeds,
            const LocalCost& cost,
            const std::array<int64_t, 2>& slices,
            std::span<const uint8_t> blocked,
            FrontScratch& scratch,
            const CancelToken& stop) {
  const Lattice lattice(field.size, field.spacing_mm);
  scratch.fit(field.smooth.size());
  Growth growth;
  Front front(lattice, scratch, lattice.longest() * cost.highest());
  for (const int64_t i : seeds) {
    const int64_t slice = field.region.lo[2] + lattice.position(i)[2];
    if (slice < slices[0] || slice > slices[1]) continue;
    if (blocked.empty() || blocked[static_cast<size_t>(i)] == 0) front.seed(i);
  }
  // Faces of the front: their area and area times edge strength.
  double area = 0.0, strength = 0.0;
  std::array<float, 3> face{};
  for (size_t a = 0; a < 3; ++a) face[a] = static_cast<float>(lattice.face_areas()[a]);
  // Two voxels from every side of the field and of the range: no neighbour needs a look at these.
  image::Index3 inner_lo{2, 2, std::max<int64_t>(2, slices[0] - field.region.lo[2] + 1)};
  image::Index3 inner_hi{field.size[0] - 3,
                         field.size[1] - 3,
                         std::min(field.size[2] - 3, slices[1] - field.region.lo[2] - 1)};
  const auto is_inner = [&](const image::Index3& at) {
    return at[0] >= inner_lo[0] && at[0] <= inner_hi[0] && at[1] >= inner_lo[1] &&
           at[1] <= inner_hi[1] && at[2] >= inner_lo[2] && at[2] <= inner_hi[2];
  };
  float best = 0.0F;
  size_t best_at = 0, next_bonus = 0;
  double bonus = 1.0, surest = 0.0;
  size_t surest_at = 0;
  for (int64_t i = front.pop(); i >= 0; i = front.pop()) {
    const auto at = lattice.position(i);
    const float here = field.edge[static_cast<size_t>(i)];
    // Sums of this voxel's faces: float is exact enough for six, and quick.
    if (is_inner(at)) {
      float more_area = 0.0F, more_strength = 0.0F;
      for (size_t a = 0; a < 3; ++a) {
        for (const int64_t n : {i - lattice.stride[a], i + lattice.stride[a]}) {
          if (!blocked.empty() && blocked[static_cast<size_t>(n)] != 0) continue;
          const float sign = front.done(n) ? -face[a] : face[a];
          more_area += sign;
          more_strength += sign * (here + field.edge[static_cast<size_t>(n)]);
          if (sign > 0.0F) front.relax_inner(n, cost(n));
        }
      }
      area += static_cast<double>(more_area);
      strength += 0.5 * static_cast<double>(more_strength);
    } else {
      for (size_t a = 0; a < 3; ++a) {
        for (const int64_t side : {int64_t{-1}, int64_t{1}}) {
          const int64_t c = at[a] + side;
          const int64_t slice = field.region.lo[2] + c;
          if (a == 2 && (slice < slices[0] || slice > slices[1])) continue;
          if (c < 0 || c >= field.size[a]) {
            const int64_t outside = field.region.lo[a] + c;
            if (outside >= 0 && outside < volume_size[a]) growth.touched_side = true;
            continue;
          }
          const int64_t n = i + side * lattice.stride[a];
          if (!blocked.empty() && blocked[static_cast<size_t>(n)] != 0) continue;
          const float edge = 0.5F * (here + field.edge[static_cast<size_t>(n)]);
          if (front.done(n)) {
            area -= face[a];
            strength -= face[a] * edge;
          } else {
            area += face[a];
            strength += face[a] * edge;
            auto next = at;
            next[a] = c;
            front.relax(n, next, cost(n));
          }
        }
      }
    }
    growth.order.push_back(static_cast<uint32_t>(i));
    const size_t count = growth.order.size();
    if (count >= next_bonus) {
      bonus = size_bonus(count);
      next_bonus = count + 1 + count / 1024;  // It changes by less than 1e-4 until then.
    }
    const double plain = strength / (std::max(area, 0.0) + kSmallFront);
    const auto score = static_cast<float>(plain * bonus);
    growth.score.push_back(score);
    if (count > seeds.size() && plain > surest) {
      surest = plain;
      surest_at = count;
    }
    if (surest > kSure && plain < kLeftBehind * surest && count > 2 * surest_at) break;
    if (score > best && count > seeds.size()) {
      best = score;
      best_at = count;
    }
    if (count % 4096 == 0) {
      stop.check();
      const size_t known = std::max(best_at, seeds.size());
      if (count > std::max(kLookAtLeast, kLookFurther * known) && score < kClearlyWorse * best) {
        break;
      }
      if (count > std::max(kLookAtLeast, 2 * known) && score < kMuchWorse * best) break;
    }
  }
  return growth;
}

size_t best_prefix(const Growth& growth, size_t seeds, size_t limit, double expected) {
  const size_t count = std::min(limit, growth.order.size());
  if (count <= seeds) return count;
  std::vector<float> judged;
  std::span<const float> score(growth.score);
  if (expected > 0.0) {
    judged.assign(growth.score.begin(), growth.score.end());
    const double most = kSizeTolerance * expected;
    for (auto n = static_cast<size_t>(most); n < judged.size(); ++n) {
      judged[n] *= static_cast<float>(std::pow(static_cast<double>(n + 1) / most, -kTooLarge));
    }
    score = judged;
  }
  const auto first = score.begin() + static_cast<std::ptrdiff_t>(seeds);
  const auto last = score.begin() + static_cast<std::ptrdiff_t>(count);
  const float highest = *std::max_element(first, last);
  if (highest <= 0.0F) return count;
  // The first prefix that is nearly as good, then the best one of at most twice its size.
  const auto start =
      std::find_if(first, last, [highest](float s) { return s >= kNearlyBest * highest; });
  const auto reach =
      std::min<std::ptrdiff_t>(2 * (start - score.begin()) + 1, static_cast<std::ptrdiff_t>(count));
  const auto peak = std::max_element(start, std::max(start + 1, score.begin() + reach));
  return static_cast<size_t>(peak - score.begin()) + 1;
}

}  // namespace voxloom::infer::geodesic
