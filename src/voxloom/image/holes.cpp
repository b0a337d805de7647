#include "voxloom/image/holes.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "voxloom/core/error.h"
#include "voxloom/core/parallel.h"
#include "voxloom/image/components.h"

namespace voxloom::image {
namespace {

void check_length(size_t length, const Index3& size) {
  VOXLOOM_CHECK(length == static_cast<size_t>(size[0] * size[1] * size[2]),
                ErrorCode::kInvalidArgument,
                "fill holes: input must hold {} pixels, got {}",
                size,
                length);
}

template <class T, class Inside>
RowScanner scanner(std::span<T> values, int64_t width, Inside inside) {
  return [=](int64_t row, std::vector<ComponentMap::Run>& runs) {
    const T* const first = values.data() + row * width;
    const T* const last = first + width;
    for (const T* p = std::find_if(first, last, inside); p != last;) {
      const T* const stop = std::find_if_not(p, last, inside);
      runs.push_back({static_cast<int32_t>(p - first), static_cast<int32_t>(stop - first), 0});
      p = std::find_if(stop, last, inside);
    }
  };
}

// Background components of `mask` that keep clear of the border along every axis of `axes` axes.
int64_t fill_enclosed(std::span<uint8_t> mask, const Index3& size, int64_t limit, size_t axes) {
  const auto map = label_components(
      size, Connectivity::kFaces, scanner(mask, size[0], [](uint8_t v) { return v == 0; }));
  const auto is_hole = [&](const Component& c) {
    for (size_t axis = 0; axis < axes; ++axis) {
      if (c.box_min[axis] == 0 || c.box_max[axis] == size[axis] - 1) return false;
    }
    return limit <= 0 || c.size <= limit;
  };
  int64_t changed = 0;
  map.for_each_run([&](int64_t first, int64_t length, int32_t component) {
    if (!is_hole(map.components[static_cast<size_t>(component)])) return;
    std::fill_n(mask.begin() + first, length, uint8_t{1});
    changed += length;
  });
  return changed;
}

}  // namespace

int64_t fill_small_holes(
    std::span<float> logits, int64_t width, int64_t height, int64_t max_area, float value) {
  const Index3 size{width, height, 1};
  check_length(logits.size(), size);
  const auto map = label_components(
      size, Connectivity::kCorners, scanner(logits, width, [](float v) { return v <= 0.0F; }));
  int64_t changed = 0;
  map.for_each_run([&](int64_t first, int64_t length, int32_t component) {
    if (map.components[static_cast<size_t>(component)].size > max_area) return;
    std::fill_n(logits.begin() + first, length, value);
    changed += length;
  });
  return changed;
}

int64_t fill_holes_per_slice(std::span<uint8_t> mask, const Index3& size, int64_t max_area) {
  check_length(mask.size(), size);
  const auto slice = static_cast<size_t>(size[0] * size[1]);
  std::atomic<int64_t> changed{0};
  parallel_for(0, size[2], 1, [&](int64_t z0, int64_t z1) {
    for (int64_t z = z0; z < z1; ++z) {
      changed += fill_enclosed(
          mask.subspan(static_cast<size_t>(z) * slice, slice), {size[0], size[1], 1}, max_area, 2);
    }
  });
  return changed;
}

int64_t fill_cavities(std::span<uint8_t> mask, const Index3& size, int64_t max_voxels) {
  check_length(mask.size(), size);
  return fill_enclosed(mask, size, max_voxels, 3);
}

}  // namespace voxloom::image
