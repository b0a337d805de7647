#include "voxloom/image/statistics.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>

#include "voxloom/core/error.h"

namespace voxloom::image {
namespace {

struct Sums {
  int64_t voxels = 0;
  std::array<int64_t, 3> index{};
  Index3 box_min{std::numeric_limits<int64_t>::max(),
                 std::numeric_limits<int64_t>::max(),
                 std::numeric_limits<int64_t>::max()};
  Index3 box_max{-1, -1, -1};
  // Welford's running mean and squared deviation: no cancellation for large offsets.
  int64_t numbers = 0, nan_voxels = 0;
  double mean = 0, deviation = 0;
  double min = std::numeric_limits<double>::infinity();
  double max = -std::numeric_limits<double>::infinity();

  void add_run(int64_t x0, int64_t x1, int64_t y, int64_t z) {
    const int64_t n = x1 - x0;
    voxels += n;
    index[0] += n * (x0 + x1 - 1) / 2;
    index[1] += n * y;
    index[2] += n * z;
    box_min = {std::min(box_min[0], x0), std::min(box_min[1], y), std::min(box_min[2], z)};
    box_max = {std::max(box_max[0], x1 - 1), std::max(box_max[1], y), std::max(box_max[2], z)};
  }

  void add_intensity(double v) {
    if (std::isnan(v)) {
      ++nan_voxels;
      return;
    }
    ++numbers;
    const double step = v - mean;
    mean += step / static_cast<double>(numbers);
    deviation += step * (v - mean);
    min = std::min(min, v);
    max = std::max(max, v);
  }
};

using SumTable = std::vector<std::unique_ptr<Sums>>;  // By label value.

// fn(sums, first memory index, x0, x1, y, z) for each run of one value, background left out.
template <class Fn>
void for_each_label_run(const LabelVolume& labels, SumTable& table, Fn fn) {
  const Index3& size = labels.geometry().size;
  const auto voxels = labels.voxels();
  for (int64_t row = 0; row < size[1] * size[2]; ++row) {
    const uint16_t* const v = voxels.data() + row * size[0];
    for (int64_t x = 0; x < size[0];) {
      const uint16_t value = v[x];
      int64_t end = x + 1;
      if (value == 0) {
        // Most of a label map is background: four voxels at a time.
        uint64_t four = 0;
        while (end + 4 <= size[0] && (std::memcpy(&four, v + end, sizeof(four)), four == 0)) {
          end += 4;
        }
      }
      while (end < size[0] && v[end] == value) ++end;
      if (value != 0) {
        auto& sums = table[value];
        if (!sums) sums = std::make_unique<Sums>();
        fn(*sums, row * size[0], x, end, row % size[1], row / size[1]);
      }
      x = end;
    }
  }
}

LabelStatistics finish(const Sums& sums, uint16_t value, const LabelVolume& labels) {
  const Geometry& g = labels.geometry();
  LabelStatistics s;
  s.value = value;
  for (const Label& label : labels.labels) {
    if (label.value == value) s.name = label.name;
  }
  s.voxels = sums.voxels;
  s.volume_ml = static_cast<double>(sums.voxels) * g.spacing_mm[0] * g.spacing_mm[1] *
                g.spacing_mm[2] / 1000.0;
  s.box_min = sums.box_min;
  s.box_max = sums.box_max;
  for (size_t axis = 0; axis < 3; ++axis) {
    s.centroid_voxel[axis] =
        static_cast<double>(sums.index[axis]) / static_cast<double>(sums.voxels);
  }
  s.centroid_mm = world_from_voxel(g, s.centroid_voxel);
  if (sums.numbers > 0) {
    s.intensity = IntensityStatistics{
        sums.mean,
        std::sqrt(std::max(0.0, sums.deviation / static_cast<double>(sums.numbers))),
        sums.min,
        sums.max,
        sums.nan_voxels};
  }
  return s;
}

}  // namespace

std::vector<LabelStatistics> label_statistics(const LabelVolume& labels, const Volume* image) {
  VOXLOOM_CHECK(image == nullptr || image->geometry().size == labels.geometry().size,
                ErrorCode::kInvalidArgument,
                "label statistics: image and labels must have one size, got {} and {}",
                image->geometry().size,
                labels.geometry().size);
  SumTable table(65536);
  if (image == nullptr) {
    for_each_label_run(
        labels, table, [](Sums& s, int64_t, int64_t x0, int64_t x1, int64_t y, int64_t z) {
          s.add_run(x0, x1, y, z);
        });
  } else {
    dispatch(image->type(), [&](auto t) {
      const auto values = image->as<decltype(t)>();
      for_each_label_run(
          labels, table, [&](Sums& s, int64_t row, int64_t x0, int64_t x1, int64_t y, int64_t z) {
            s.add_run(x0, x1, y, z);
            for (int64_t x = x0; x < x1; ++x) {
              s.add_intensity(static_cast<double>(values[static_cast<size_t>(row + x)]));
            }
          });
    });
  }
  std::vector<LabelStatistics> out;
  for (size_t value = 1; value < table.size(); ++value) {
    if (table[value]) out.push_back(finish(*table[value], static_cast<uint16_t>(value), labels));
  }
  return out;
}

}  // namespace voxloom::image
