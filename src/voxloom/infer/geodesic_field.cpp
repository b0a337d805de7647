#include "voxloom/infer/geodesic_field.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "voxloom/core/parallel.h"

namespace voxloom::infer::geodesic {
namespace {

constexpr int kDiffusionSteps = 6;
constexpr int64_t kSamples = 200000;  // Voxels looked at for the noise.

void read_region(image::VolumeSource& source,
                 const Clip& clip,
                 Field& field,
                 const CancelToken& stop) {
  const Region& region = field.region;
  const auto full = source.geometry().size;
  field.smooth.resize(static_cast<size_t>(region.voxel_count()));
  float lowest = std::numeric_limits<float>::infinity();
  const int64_t slab = std::max<int64_t>(1, (int64_t{8} << 20) / (full[0] * full[1]));
  for (int64_t z = region.lo[2]; z <= region.hi[2]; z += slab) {
    stop.check();
    const int64_t end = std::min(z + slab, region.hi[2] + 1);
    const image::Volume part = source.read_slab(z, end);
    image::dispatch(part.type(), [&](auto zero) {
      using T = decltype(zero);
      const auto voxels = part.as<T>();
      float* to = field.smooth.data() + (z - region.lo[2]) * field.size[0] * field.size[1];
      for (int64_t k = 0; k < end - z; ++k) {
        for (int64_t y = region.lo[1]; y <= region.hi[1]; ++y) {
          const T* row = voxels.data() + (k * full[1] + y) * full[0] + region.lo[0];
          for (int64_t x = 0; x < field.size[0]; ++x) {
            const auto value = static_cast<double>(row[x]);
            *to++ = std::isfinite(value) ? static_cast<float>(std::clamp(value, clip.lo, clip.hi))
                                         : std::numeric_limits<float>::quiet_NaN();
          }
        }
      }
    });
  }
  for (const float v : field.smooth) {
    if (!std::isnan(v)) lowest = std::min(lowest, v);
  }
  if (!std::isfinite(lowest)) lowest = 0.0F;
  for (float& v : field.smooth) {
    if (!std::isnan(v)) continue;
    v = lowest;
    ++field.nan_voxels;
  }
}

/// The value that a quarter of the list lies below. Noise is measured with it: most of the voxels
/// of a head or a trunk lie in fine structures, and a median would take these for noise.
double lower_quartile(std::vector<float>& values) {
  if (values.empty()) return 0.0;
  const auto quarter = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 4);
  std::nth_element(values.begin(), quarter, values.end());
  return *quarter;
}

/// Calls fn(index) for evenly spread voxels that are not on the region's in-plane border and are
/// brighter than the mean: tissue rather than air, whose noise differs.
template <class Fn>
void sample_tissue(const Field& field, Fn&& fn) {
  const auto& s = field.size;
  if (s[0] < 3 || s[1] < 3) return;
  double sum = 0.0;
  for (const float v : field.smooth) sum += v;
  const auto mean = static_cast<float>(sum / static_cast<double>(field.smooth.size()));
  const int64_t step = std::max<int64_t>(1, (field.region.voxel_count() / kSamples) | 1);
  for (int64_t i = 0; i < field.region.voxel_count(); i += step) {
    const int64_t x = i % s[0], y = i / s[0] % s[1];
    if (x == 0 || y == 0 || x == s[0] - 1 || y == s[1] - 1) continue;
    if (field.smooth[static_cast<size_t>(i)] >= mean) fn(i);
  }
}

double raw_noise(const Field& field) {
  std::vector<float> responses;
  const int64_t row = field.size[0];
  sample_tissue(field, [&](int64_t i) {
    const float* p = field.smooth.data() + i;
    const float r = p[-row - 1] - 2 * p[-row] + p[-row + 1] - 2 * p[-1] + 4 * p[0] - 2 * p[1] +
                    p[row - 1] - 2 * p[row] + p[row + 1];
    responses.push_back(std::abs(r));
  });
  // The mask's gain is 6; a quarter of a normal variable's magnitudes lies below 0.3186.
  return lower_quartile(responses) / (6.0 * 0.3186);
}

/// Standard deviation in 3x3 neighbourhoods of a slice: noise left after smoothing.
double remaining_noise(const Field& field) {
  std::vector<float> deviations;
  const int64_t row = field.size[0];
  sample_tissue(field, [&](int64_t i) {
    double sum = 0.0, squares = 0.0;
    for (int64_t dy = -1; dy <= 1; ++dy) {
      for (int64_t dx = -1; dx <= 1; ++dx) {
        const double v = field.smooth[static_cast<size_t>(i + dy * row + dx)] -
                         field.smooth[static_cast<size_t>(i)];
        sum += v;
        squares += v * v;
      }
    }
    deviations.push_back(static_cast<float>(std::sqrt(std::max(0.0, squares - sum * sum / 9) / 8)));
  });
  // Of nine correlated values, a quarter of the deviations lies about a fifth below the true one.
  return lower_quartile(deviations) * 1.25;
}

void diffuse(Field& field, double noise, const CancelToken& stop) {
  if (noise <= 0.0) return;
  const auto& s = field.size;
  const double finest = *std::min_element(field.spacing_mm.begin(), field.spacing_mm.end());
  std::array<float, 3> weight{};
  double total = 0.0;
  for (size_t a = 0; a < 3; ++a) {
    const double ratio = finest / field.spacing_mm[a];
    weight[a] = s[a] > 1 ? static_cast<float>(ratio * ratio) : 0.0F;
    total += weight[a];
  }
  if (total <= 0.0) return;
  for (float& w : weight) w = static_cast<float>(w * 0.48 / total);
  const std::array<int64_t, 3> stride{1, s[0], s[0] * s[1]};
  std::vector<float> next(field.smooth.size());
  for (int step = 0; step < kDiffusionSteps; ++step) {
    stop.check();
    // Noise falls from step to step, and with it the contrast that counts as an edge.
    const double contrast = 3.0 * noise / (1.0 + 0.5 * step);
    const auto inverse = static_cast<float>(1.0 / (contrast * contrast));
    parallel_for(0, s[1] * s[2], 64, [&](int64_t first, int64_t last) {
      for (int64_t line = first; line < last; ++line) {
        const int64_t y = line % s[1], z = line / s[1];
        const float* here = field.smooth.data() + line * s[0];
        float* out = next.data() + line * s[0];
        // A missing neighbour is the voxel itself: no flow across the border.
        const int64_t up = y > 0 ? -stride[1] : 0, down = y + 1 < s[1] ? stride[1] : 0;
        const int64_t back = z > 0 ? -stride[2] : 0, front = z + 1 < s[2] ? stride[2] : 0;
        const auto voxel = [&](int64_t x, int64_t left, int64_t right) {
          const float v = here[x];
          const auto flow = [v, inverse](float other) {
            const float d = other - v;
            return d / (1.0F + d * d * inverse);
          };
          out[x] = v + weight[0] * (flow(here[x + left]) + flow(here[x + right])) +
                   weight[1] * (flow(here[x + up]) + flow(here[x + down])) +
                   weight[2] * (flow(here[x + back]) + flow(here[x + front]));
        };
        voxel(0, 0, s[0] > 1 ? 1 : 0);
        for (int64_t x = 1; x + 1 < s[0]; ++x) voxel(x, -1, 1);
        if (s[0] > 1) voxel(s[0] - 1, -1, 0);
      }
    });
    field.smooth.swap(next);
  }
}

void measure_edges(Field& field) {
  const auto& s = field.size;
  field.edge.resize(field.smooth.size());
  const double c0 = std::max(4.0 * field.noise, 1e-6);
  const auto c0_squared = static_cast<float>(c0 * c0);
  const int64_t plane = s[0] * s[1];
  parallel_for(0, s[1] * s[2], 64, [&](int64_t first, int64_t last) {
    for (int64_t line = first; line < last; ++line) {
      const int64_t y = line % s[1], z = line / s[1];
      const float* here = field.smooth.data() + line * s[0];
      float* out = field.edge.data() + line * s[0];
      const int64_t up = y > 0 ? -s[0] : 0, down = y + 1 < s[1] ? s[0] : 0;
      const int64_t back = z > 0 ? -plane : 0, front = z + 1 < s[2] ? plane : 0;
      for (int64_t x = 0; x < s[0]; ++x) {
        const float gx = here[x + 1 < s[0] ? x + 1 : x] - here[x > 0 ? x - 1 : x];
        const float gy = here[x + down] - here[x + up];
        const float gz = here[x + front] - here[x + back];
        const float c = gx * gx + gy * gy + gz * gz;
        out[x] = c / (c + c0_squared);
      }
    }
  });
}

}  // namespace

Field make_field(image::VolumeSource& source,
                 const Region& region,
                 const Clip& clip,
                 const CancelToken& stop) {
  Field field;
  field.region = region;
  field.size = region.size();
  field.spacing_mm = source.geometry().spacing_mm;
  read_region(source, clip, field, stop);
  const double raw = raw_noise(field);
  diffuse(field, raw, stop);
  const auto [lo, hi] = std::minmax_element(field.smooth.begin(), field.smooth.end());
  // A floor for images without noise, such as drawings: 0.2 % of their range.
  // Smoothing leaves less noise than there was: much more is structure, as in angiograms that show
  // no tissue.
  field.noise = std::max(std::min(remaining_noise(field), 2.0 * raw),
                         0.002 * (static_cast<double>(*hi) - *lo));
  measure_edges(field);
  return field;
}

}  // namespace voxloom::infer::geodesic
