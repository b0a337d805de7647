#include "voxloom/infer/geodesic_box.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "voxloom/image/components.h"

namespace voxloom::infer::geodesic {
namespace {

constexpr int kBins = 64;
constexpr int kRounds = 5;
using Histogram = std::array<double, kBins>;

/// The box and a frame around it, cut out of one slice.
struct Cutout {
  Rect outer;
  float lowest = 0.0F, highest = 0.0F;  ///< Of the bins, without the last percent on each side.
  int64_t width = 0, height = 0;
  std::vector<float> value;
  std::vector<int> bin;
  std::vector<uint8_t> in_box, centre, ellipse;
};

Cutout cut_out(const Field& field, const Rect& box, int64_t z) {
  Cutout c;
  const int64_t frame = std::max<int64_t>(3, std::max(box.width(), box.height()) / 4);
  c.outer = {std::max(field.region.lo[0], box.x0 - frame),
             std::max(field.region.lo[1], box.y0 - frame),
             std::min(field.region.hi[0], box.x1 + frame),
             std::min(field.region.hi[1], box.y1 + frame)};
  c.width = c.outer.width();
  c.height = c.outer.height();
  const double cx = 0.5 * static_cast<double>(box.x0 + box.x1);
  const double cy = 0.5 * static_cast<double>(box.y0 + box.y1);
  for (int64_t y = c.outer.y0; y <= c.outer.y1; ++y) {
    for (int64_t x = c.outer.x0; x <= c.outer.x1; ++x) {
      const double dx = 2.0 * (static_cast<double>(x) - cx) / static_cast<double>(box.width());
      const double dy = 2.0 * (static_cast<double>(y) - cy) / static_cast<double>(box.height());
      const double r = dx * dx + dy * dy;
      c.value.push_back(field.smooth[static_cast<size_t>(field.index({x, y, z}))]);
      c.in_box.push_back(box.contains(x, y));
      c.centre.push_back(r < 0.3);
      c.ellipse.push_back(r < 0.9 && box.contains(x, y));
    }
  }
  auto sorted = c.value;
  std::sort(sorted.begin(), sorted.end());
  const float lo = sorted[sorted.size() / 100],
              hi = sorted[sorted.size() - 1 - sorted.size() / 100];
  c.lowest = lo;
  c.highest = hi;
  for (const float v : c.value) {
    const double at = hi > lo ? (v - lo) / (hi - lo) : 0.5;
    c.bin.push_back(std::clamp(static_cast<int>(at * kBins), 0, kBins - 1));
  }
  return c;
}

/// Smoothed and normalised, never 0.
Histogram histogram(const Cutout& c, const std::vector<uint8_t>& chosen, bool wanted) {
  Histogram raw{}, h{};
  double total = 0.0;
  for (size_t i = 0; i < c.bin.size(); ++i) {
    if ((chosen[i] != 0) != wanted) continue;
    raw[static_cast<size_t>(c.bin[i])] += 1.0;
    total += 1.0;
  }
  constexpr double kSpread = 2.0;
  for (int b = 0; b < kBins; ++b) {
    for (int k = -6; k <= 6; ++k) {
      const int from = b + k;
      if (from < 0 || from >= kBins) continue;
      h[static_cast<size_t>(b)] +=
          raw[static_cast<size_t>(from)] * std::exp(-0.5 * k * k / (kSpread * kSpread));
    }
    h[static_cast<size_t>(b)] = h[static_cast<size_t>(b)] / std::max(1.0, total) + 1e-3;
  }
  return h;
}

/// Mean over a 5x5 neighbourhood.
std::vector<float> vote(const std::vector<float>& in, int64_t width, int64_t height) {
  std::vector<float> out(in.size());
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      float sum = 0.0F;
      for (int64_t dy = -2; dy <= 2; ++dy) {
        for (int64_t dx = -2; dx <= 2; ++dx) {
          const int64_t a = std::clamp<int64_t>(x + dx, 0, width - 1);
          const int64_t b = std::clamp<int64_t>(y + dy, 0, height - 1);
          sum += in[static_cast<size_t>(b * width + a)];
        }
      }
      out[static_cast<size_t>(y * width + x)] = sum / 25.0F;
    }
  }
  return out;
}

/// The part of `mask` that holds most of the middle of the box.
std::vector<uint8_t> central_part(const std::vector<uint8_t>& mask, const Cutout& c) {
  const auto parts = image::label_components(
      std::span<const uint8_t>(mask), {c.width, c.height, 1}, image::Connectivity::kFaces);
  const auto labels = parts.to_labels();
  std::vector<int64_t> votes(parts.components.size() + 1, 0);
  for (size_t i = 0; i < labels.size(); ++i) {
    if (c.centre[i] != 0 && labels[i] != 0) ++votes[static_cast<size_t>(labels[i])];
  }
  const auto best = std::max_element(votes.begin(), votes.end());
  std::vector<uint8_t> out(mask.size(), 0);
  if (*best == 0) return out;
  const auto wanted = static_cast<int32_t>(best - votes.begin());
  for (size_t i = 0; i < labels.size(); ++i) out[i] = labels[i] == wanted;
  return out;
}

}  // namespace

BoxContent look_into_box(const Field& field, const Rect& box, int64_t z) {
  const Cutout c = cut_out(field, box, z);
  // Foreground: the middle at first. Background: what is outside the box, always.
  Histogram inside = histogram(c, c.centre, true);
  Histogram around = histogram(c, c.in_box, false);
  std::vector<uint8_t> object(c.value.size(), 0);
  for (int round = 0; round < kRounds; ++round) {
    std::vector<float> belief(c.value.size(), 0.0F);
    for (size_t i = 0; i < belief.size(); ++i) {
      if (c.in_box[i] == 0) continue;
      const auto b = static_cast<size_t>(c.bin[i]);
      belief[i] = static_cast<float>(inside[b] / (inside[b] + around[b]));
    }
    const auto smooth = vote(belief, c.width, c.height);
    for (size_t i = 0; i < object.size(); ++i) {
      object[i] = c.in_box[i] != 0 && 0.5F * (smooth[i] + belief[i]) > 0.5F;
    }
    object = central_part(object, c);
    if (std::find(object.begin(), object.end(), uint8_t{1}) == object.end()) break;
    inside = histogram(c, object, true);
    around = histogram(c, object, false);
  }
  const auto area = std::count(object.begin(), object.end(), uint8_t{1});
  const auto& chosen = area * 100 < box.width() * box.height() ? c.ellipse : object;
  BoxContent content;
  for (size_t i = 0; i < chosen.size(); ++i) {
    if (chosen[i] == 0) continue;
    content.pixels.push_back(field.index({c.outer.x0 + static_cast<int64_t>(i) % c.width,
                                          c.outer.y0 + static_cast<int64_t>(i) / c.width,
                                          z}));
  }
  auto& look = content.appearance;
  look = measure(field, content.pixels);
  if (&chosen == &c.ellipse || !(c.highest > c.lowest)) return content;
  look.lowest = c.lowest;
  look.bins_per_unit = kBins / (static_cast<double>(c.highest) - c.lowest);
  for (size_t b = 0; b < kBins; ++b) {
    // Twice as frequent around the object as in it begins to be foreign.
    const double share = around[b] / (inside[b] + around[b]);
    look.foreign.push_back(static_cast<float>(std::clamp((share - 0.6) / 0.4, 0.0, 1.0)));
  }
  return content;
}

std::vector<Rect> reach_of(const std::vector<BoxPrompt>& boxes,
                           int64_t z,
                           const image::Vec3& spacing_mm) {
  std::vector<Rect> reach;
  for (const auto& box : boxes) {
    if (z >= box.lo[2] && z <= box.hi[2]) {
      reach.push_back({box.lo[0], box.lo[1], box.hi[0], box.hi[1]});
    }
  }
  if (!reach.empty()) return reach;
  for (const auto& box : boxes) {
    if (box.lo[2] < box.hi[2]) continue;
    const double away_mm = static_cast<double>(std::abs(z - box.lo[2])) * spacing_mm[2];
    std::array<int64_t, 2> more{};
    for (size_t a = 0; a < 2; ++a) {
      const auto most = (box.hi[a] - box.lo[a] + 4) / 4;
      more[a] = std::min(most, 1 + static_cast<int64_t>(away_mm / spacing_mm[a]));
    }
    reach.push_back(
        {box.lo[0] - more[0], box.lo[1] - more[1], box.hi[0] + more[0], box.hi[1] + more[1]});
  }
  return reach;
}

bool cut_unbounded_slices(Patch& patch,
                          const std::vector<BoxPrompt>& boxes,
                          const image::Vec3& spacing_mm) {
  if (boxes.empty() || patch.mask.empty()) return false;
  constexpr double kMostUnseen = 1.0 / 3.0;
  int64_t first = boxes.front().lo[2], last = boxes.front().hi[2];
  for (const auto& box : boxes) {
    first = std::min(first, box.lo[2]);
    last = std::max(last, box.hi[2]);
  }
  const auto size = patch.region.size();
  const auto slice_of = [&](int64_t z) {
    return patch.mask.data() + (z - patch.region.lo[2]) * size[0] * size[1];
  };
  const auto lost = [&](int64_t z) {
    const auto reach = reach_of(boxes, z, spacing_mm);
    const uint8_t* slice = slice_of(z);
    int64_t border = 0, unseen = 0;
    const auto face = [&](int64_t x, int64_t y) {
      if (x >= 0 && x < size[0] && y >= 0 && y < size[1] && slice[y * size[0] + x] != 0) return;
      ++border;
      unseen += std::none_of(reach.begin(), reach.end(), [&](const Rect& rect) {
        return rect.contains(patch.region.lo[0] + x, patch.region.lo[1] + y);
      });
    };
    for (int64_t y = 0; y < size[1]; ++y) {
      for (int64_t x = 0; x < size[0]; ++x) {
        if (slice[y * size[0] + x] == 0) continue;
        face(x - 1, y);
        face(x + 1, y);
        face(x, y - 1);
        face(x, y + 1);
      }
    }
    return static_cast<double>(unseen) > kMostUnseen * static_cast<double>(border);
  };
  bool cut = false;
  const auto walk = [&](int64_t from, int64_t end, int64_t step) {
    bool gone = false;
    for (int64_t z = from; z != end + step; z += step) {
      if (z < patch.region.lo[2] || z > patch.region.hi[2]) continue;
      gone = gone || lost(z);
      if (gone) std::fill_n(slice_of(z), size[0] * size[1], uint8_t{0});
    }
    cut = cut || gone;
  };
  if (last < patch.region.hi[2]) walk(last + 1, patch.region.hi[2], 1);
  if (first > patch.region.lo[2]) walk(first - 1, patch.region.lo[2], -1);
  return cut;
}

double ball_of(size_t pixels, const image::Vec3& spacing_mm) {
  const double area = static_cast<double>(pixels) * spacing_mm[0] * spacing_mm[1];
  // 4/3 pi r^3 with pi r^2 = area; of slices thicker than that, one.
  const double volume = 0.7523 * std::pow(area, 1.5);
  return std::max(static_cast<double>(pixels),
                  volume / (spacing_mm[0] * spacing_mm[1] * spacing_mm[2]));
}

}  // namespace voxloom::infer::geodesic
