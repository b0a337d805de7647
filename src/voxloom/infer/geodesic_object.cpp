// How one object is segmented: prompts to sources, growth, and the steps after it.
#include <algorithm>
#include <cmath>

#include "voxloom/image/distance.h"
#include "voxloom/image/holes.h"
#include "voxloom/infer/geodesic_box.h"
#include "voxloom/infer/geodesic_session.h"

namespace voxloom::infer::geodesic {
namespace {

// A level set that leaves a negative click out bounds the object when its border is this good,
// compared with the best border of all; else the click only takes its share in a race.
constexpr float kGoodEnough = 0.9F;
constexpr int64_t kMargin = 5;
// A click's best border with edges weaker than this is none: noise alone reaches 0.6, solids whose
// contrast is below that of the noise 0.75.
constexpr double kFaintBorder = 0.65;
constexpr double kFaintReach_mm = 20.0;
// A region with this share of the volume is worth a remark.
constexpr double kLargeShare = 0.25;

/// Pixels whose four neighbours are chosen too; all of them when none is left.
std::vector<int64_t> eroded(const std::vector<int64_t>& pixels, int64_t row) {
  std::vector<int64_t> sorted = pixels, inner;
  std::sort(sorted.begin(), sorted.end());
  const auto has = [&sorted](int64_t i) {
    return std::binary_search(sorted.begin(), sorted.end(), i);
  };
  for (const int64_t i : sorted) {
    if (has(i - 1) && has(i + 1) && has(i - row) && has(i + row)) inner.push_back(i);
  }
  return inner.empty() ? pixels : inner;
}

CostWeights weights_of(const SegmentOptions& options) {
  CostWeights weights;
  // Twice the edge and deviation cost at full leak control, a quarter without.
  const double factor = 0.25 + 1.75 * options.leak_control * (0.5 + 0.5 * options.leak_control);
  weights.edge *= factor;
  weights.deviation *= 0.5 + options.leak_control;
  return weights;
}

}  // namespace

uint64_t hash_of(const std::vector<uint8_t>& bytes) {
  uint64_t hash = 14695981039346656037ULL;
  for (const uint8_t b : bytes) hash = (hash ^ b) * 1099511628211ULL;
  return hash;
}

std::string Source::key() const {
  return format("{}:{}:{}:{}:{}",
                static_cast<int>(kind),
                z,
                seeds.empty() ? -1 : seeds.front(),
                seeds.size(),
                hash_of(slice_mask));
}

Source GeodesicSession::source_of_click(const image::Index3& voxel) const {
  const Field& field = *field_;
  Source source;
  source.z = voxel[2];
  source.seeds = {field.index(voxel)};
  const double finest = *std::min_element(field.spacing_mm.begin(), field.spacing_mm.end());
  constexpr double kRadius = 2.0;
  std::vector<int64_t> around;
  for (int64_t dz = -2; dz <= 2; ++dz) {
    for (int64_t dy = -2; dy <= 2; ++dy) {
      for (int64_t dx = -2; dx <= 2; ++dx) {
        const double x = static_cast<double>(dx) * field.spacing_mm[0] / finest;
        const double y = static_cast<double>(dy) * field.spacing_mm[1] / finest;
        const double z = static_cast<double>(dz) * field.spacing_mm[2] / finest;
        const image::Index3 near{voxel[0] + dx, voxel[1] + dy, voxel[2] + dz};
        if (x * x + y * y + z * z <= kRadius * kRadius && field.region.contains(near)) {
          around.push_back(field.index(near));
        }
      }
    }
  }
  source.appearance = measure(field, around);
  // A thin structure or a click beside a border: of mixed surroundings, what looks like the voxel
  // that was clicked.
  const float clicked = field.smooth[static_cast<size_t>(source.seeds.front())];
  const auto unlike = [&](int64_t i) {
    return std::abs(field.smooth[static_cast<size_t>(i)] - clicked);
  };
  constexpr double kMixed = 5.0;
  constexpr size_t kFewest = 5;
  while (source.appearance.spread > kMixed * field.noise && around.size() >= 2 * kFewest) {
    const auto half = around.begin() + static_cast<std::ptrdiff_t>(around.size() / 2);
    std::nth_element(around.begin(), half, around.end(), [&](int64_t a, int64_t b) {
      return std::pair(unlike(a), a) < std::pair(unlike(b), b);
    });
    around.erase(half, around.end());
    source.appearance = measure(field, around);
  }
  return source;
}

std::vector<Source> GeodesicSession::sources_of(const ObjectPrompt& object) const {
  const Field& field = *field_;
  std::vector<Source> sources;
  for (const auto& point : object.points) {
    if (point.positive) sources.push_back(source_of_click(point.voxel));
  }
  for (const auto& box : object.boxes) {
    Source source;
    source.kind = Source::Kind::kBox;
    source.z = (box.lo[2] + box.hi[2]) / 2;
    source.box = Rect{box.lo[0], box.lo[1], box.hi[0], box.hi[1]};
    auto content = look_into_box(field, *source.box, source.z);
    source.expected = ball_of(content.pixels.size(), field.spacing_mm);
    source.seeds = eroded(content.pixels, field.size[0]);
    source.appearance = std::move(content.appearance);
    for (const int64_t edge : {box.lo[0], box.lo[1], box.hi[0], box.hi[1], box.lo[2], box.hi[2]}) {
      for (int shift = 0; shift < 32; shift += 8) {
        source.slice_mask.push_back(static_cast<uint8_t>(edge >> shift));
      }
    }
    sources.push_back(std::move(source));
  }
  const auto& size = volume_->geometry().size;
  for (const auto& mask : object.masks) {
    Source source;
    source.kind = Source::Kind::kMask;
    source.z = mask.z;
    source.slice_mask = mask.pixels;
    for (size_t i = 0; i < mask.pixels.size(); ++i) {
      if (mask.pixels[i] == 0) continue;
      const auto at = static_cast<int64_t>(i);
      source.seeds.push_back(field.index({at % size[0], at / size[0], mask.z}));
    }
    source.appearance = measure(field, eroded(source.seeds, field.size[0]));
    sources.push_back(std::move(source));
  }
  return sources;
}

std::vector<Source> GeodesicSession::first_sources_of(const ObjectPrompt& object) const {
  ObjectPrompt first = object;
  const bool drawn = !object.boxes.empty() || !object.masks.empty();
  const auto positive = [](const PointPrompt& p) { return p.positive; };
  const auto click = std::find_if(object.points.begin(), object.points.end(), positive);
  first.points.clear();
  if (!drawn && click != object.points.end()) first.points = {*click};
  return sources_of(first);
}

void GeodesicSession::block_outside_boxes(const std::vector<BoxPrompt>& boxes,
                                          std::vector<uint8_t>& blocked) const {
  const Field& field = *field_;
  const auto& lo = field.region.lo;
  for (int64_t z = 0; z < field.size[2]; ++z) {
    const auto allowed = reach_of(boxes, z + lo[2], field.spacing_mm);
    for (int64_t y = 0; y < field.size[1]; ++y) {
      uint8_t* row = blocked.data() + (z * field.size[1] + y) * field.size[0];
      for (int64_t x = 0; x < field.size[0]; ++x) {
        const bool inside = std::any_of(allowed.begin(), allowed.end(), [&](const Rect& rect) {
          return rect.contains(x + lo[0], y + lo[1]);
        });
        if (!inside) row[x] = 1;
      }
    }
  }
}

std::vector<uint8_t> GeodesicSession::blocked_for(const ObjectPrompt& object,
                                                  const SegmentOptions& options) const {
  const Field& field = *field_;
  const bool bounded = !object.boxes.empty() || !object.masks.empty();
  if (!bounded && options.max_distance_mm <= 0.0) return {};
  std::vector<uint8_t> blocked(field.smooth.size(), 0);
  if (options.max_distance_mm > 0.0) {
    std::vector<uint8_t> seeds(field.smooth.size(), 0);
    for (const auto& source : sources_of(object)) {
      for (const int64_t i : source.seeds) seeds[static_cast<size_t>(i)] = 1;
    }
    const auto away = image::squared_distance_to(seeds, field.size, field.spacing_mm);
    const auto limit = static_cast<float>(options.max_distance_mm * options.max_distance_mm);
    for (size_t i = 0; i < away.size(); ++i) blocked[i] = away[i] > limit;
  }
  if (!object.boxes.empty() && object.masks.empty()) block_outside_boxes(object.boxes, blocked);
  const int64_t width = volume_->geometry().size[0];
  for (const auto& mask : object.masks) {
    for (int64_t y = field.region.lo[1]; y <= field.region.hi[1]; ++y) {
      for (int64_t x = field.region.lo[0]; x <= field.region.hi[0]; ++x) {
        blocked[static_cast<size_t>(field.index({x, y, mask.z}))] =
            mask.pixels[static_cast<size_t>(y * width + x)] == 0;
      }
    }
  }
  return blocked;
}

std::vector<image::Index3> GeodesicSession::positions(const std::vector<int64_t>& indices) const {
  const Field& field = *field_;
  std::vector<image::Index3> out;
  out.reserve(indices.size());
  for (const int64_t i : indices) {
    out.push_back({field.region.lo[0] + i % field.size[0],
                   field.region.lo[1] + i / field.size[0] % field.size[1],
                   field.region.lo[2] + i / (field.size[0] * field.size[1])});
  }
  return out;
}

size_t GeodesicSession::judge_click(const Source& source, const Growth& growth, size_t prefix) {
  const Field& field = *field_;
  const auto seed = positions(source.seeds).front();
  if (prefix > 1 && edge_along_border(growth, prefix) < kFaintBorder) {
    // Nothing says where it ends: what is near, instead of all that can be reached.
    const auto far = [&](uint32_t i) {
      const auto at = positions({i}).front();
      double squares = 0.0;
      for (size_t a = 0; a < 3; ++a) {
        const double d = static_cast<double>(at[a] - seed[a]) * field.spacing_mm[a];
        squares += d * d;
      }
      return squares > kFaintReach_mm * kFaintReach_mm;
    };
    const auto last = growth.order.begin() + static_cast<std::ptrdiff_t>(prefix);
    const auto end = std::find_if(growth.order.begin(), last, far);
    notes_.push_back(
        format("click {},{},{}: no clear border was found; at most {:.0f} mm around it are kept: "
               "add a click or a box",
               seed[0],
               seed[1],
               seed[2],
               kFaintReach_mm));
    return std::max<size_t>(1, static_cast<size_t>(end - growth.order.begin()));
  }
  const double share =
      static_cast<double>(prefix) / static_cast<double>(volume_->geometry().voxel_count());
  if (share > kLargeShare) {
    notes_.push_back(format(
        "click {},{},{}: the clearest border holds {:.0f} % of the volume; if less was meant, add "
        "a box or a negative click",
        seed[0],
        seed[1],
        seed[2],
        100.0 * share));
  }
  return prefix;
}

const Growth& GeodesicSession::growth_of(const Source& source,
                                         const Domain& domain,
                                         const SegmentOptions& options,
                                         const CancelToken& stop) {
  const Field& field = *field_;
  const std::string key = source.key() + "|" + domain.key;
  auto found = growths_.find(key);
  if (found == growths_.end()) {
    const LocalCost cost(field, source.appearance, weights_of(options));
    Cached made;
    made.growth = grow(field,
                       volume_->geometry().size,
                       source.seeds,
                       cost,
                       domain.slices,
                       domain.blocked,
                       scratch_,
                       stop);
    found = growths_.emplace(key, std::move(made)).first;
  }
  found->second.used = true;
  return found->second.growth;
}

bool GeodesicSession::has_clear_border(const Growth& growth, size_t seeds) const {
  const size_t prefix = best_prefix(growth, seeds, growth.order.size());
  return prefix > seeds && edge_along_border(growth, prefix) >= kFaintBorder;
}

GeodesicSession::SourceRegion GeodesicSession::region_of(const Source& source,
                                                         const Domain& domain,
                                                         const std::vector<image::Index3>& rivals,
                                                         const SegmentOptions& options,
                                                         const CancelToken& stop) {
  const Field& field = *field_;
  const Growth& growth = growth_of(source, domain, options, stop);
  const size_t seeds = source.seeds.size();
  size_t prefix = best_prefix(growth, seeds, growth.order.size(), source.expected);
  if (source.kind == Source::Kind::kClick) prefix = judge_click(source, growth, prefix);
  size_t limit = prefix;
  for (const auto& rival : rivals) {
    const auto at = static_cast<uint32_t>(field.index(rival));
    const auto last = growth.order.begin() + static_cast<std::ptrdiff_t>(limit);
    limit = static_cast<size_t>(std::find(growth.order.begin(), last, at) - growth.order.begin());
  }
  size_t bound = prefix;
  if (limit < prefix && limit > seeds) {
    const size_t below = best_prefix(growth, seeds, limit, source.expected);
    if (growth.score[below - 1] >= kGoodEnough * growth.score[prefix - 1]) bound = below;
  }
  SourceRegion region;
  region.disputed = bound < prefix;
  Patch& patch = region.whole;
  patch = make_patch(field, std::span(growth.order).first(prefix), kMargin, domain.slices);
  if (patch.mask.empty()) return region;
  // Coming to the side matters only when the chosen region does.
  if (growth.touched_side) {
    const auto& size = volume_->geometry().size;
    for (size_t a = 0; a < 3; ++a) {
      touched_side_ =
          touched_side_ || (patch.region.lo[a] == field.region.lo[a] && field.region.lo[a] > 0) ||
          (patch.region.hi[a] == field.region.hi[a] && field.region.hi[a] + 1 < size[a]);
    }
  }
  const auto seed_voxels = positions(source.seeds);
  cut_narrow_passages(patch, seed_voxels, field.spacing_mm, options.leak_control);
  if (region.disputed) {
    region.bound = make_patch(field, std::span(growth.order).first(bound), kMargin, domain.slices);
    cut_narrow_passages(region.bound, seed_voxels, field.spacing_mm, options.leak_control);
  }
  return region;
}

void GeodesicSession::finish_patch(Patch& patch,
                                   const Prompts& prompts,
                                   const std::vector<uint8_t>& blocked,
                                   const SegmentOptions& options,
                                   const CancelToken& stop) const {
  const Field& field = *field_;
  const auto size = patch.region.size();
  std::vector<uint8_t> fixed(patch.mask.size(), 0);
  if (!blocked.empty()) {
    for (int64_t line = 0; line < size[1] * size[2]; ++line) {
      const int64_t from = field.index({patch.region.lo[0],
                                        patch.region.lo[1] + line % size[1],
                                        patch.region.lo[2] + line / size[1]});
      for (int64_t x = 0; x < size[0]; ++x) {
        if (blocked[static_cast<size_t>(from + x)] != 0) {
          fixed[static_cast<size_t>(line * size[0] + x)] = 2;
        }
      }
    }
  }
  const auto fix = [&](const image::Index3& voxel, uint8_t what) {
    if (patch.region.contains(voxel)) fixed[static_cast<size_t>(patch.index(voxel))] = what;
  };
  for (const auto& source : prompts.sources) {
    if (source.kind == Source::Kind::kBox) continue;
    for (const auto& voxel : positions(source.seeds)) fix(voxel, 1);
  }
  for (const auto& voxel : prompts.inside) fix(voxel, 1);
  for (const auto& voxel : prompts.outside) fix(voxel, 2);
  regularise(patch, field, fixed, options.smoothness, stop);
  if (options.fill_holes) image::fill_cavities(patch.mask, size);
  for (size_t i = 0; i < fixed.size(); ++i) {
    if (fixed[i] != 0) patch.mask[i] = fixed[i] == 1;
  }
}

Patch GeodesicSession::grow_object(const ObjectPrompt& object,
                                   const Prompts& prompts,
                                   const Domain& domain,
                                   const SegmentOptions& options,
                                   const CancelToken& stop) {
  const Field& field = *field_;
  Patch patch, bound;
  bool bounded = false;
  for (const auto& source : prompts.sources) {
    stop.check();
    const auto region = region_of(source, domain, prompts.rivals, options, stop);
    patch = join(patch, region.whole);
    bound = join(bound, region.disputed ? region.bound : region.whole);
    bounded = bounded || region.disputed;
  }
  if (patch.mask.empty()) return patch;
  std::vector<Claim> claims;
  bool disputed = false;
  for (const auto& source : prompts.sources) {
    claims.push_back({positions(source.seeds), source.appearance, true});
  }
  for (const auto& voxel : prompts.inside) {
    if (patch.contains(voxel)) claims.push_back({{voxel}, prompts.sources[0].appearance, true});
  }
  for (const auto& rival : prompts.rivals) {
    if (!patch.contains(rival)) continue;
    disputed = true;
    claims.push_back({{rival}, source_of_click(rival).appearance, false});
  }
  if (disputed) share(patch, claims, field, stop);
  if (bounded) intersect(patch, bound);
  finish_patch(patch, prompts, domain.blocked, options, stop);
  // After the border was made smooth: a cut end is no border.
  if (object.masks.empty() && cut_unbounded_slices(patch, object.boxes, field.spacing_mm)) {
    notes_.push_back(
        format("object '{}': no clear border was found on slices away from the box; it ends before "
               "them: add a box or a click there",
               object.name));
  }
  return patch;
}

}  // namespace voxloom::infer::geodesic
