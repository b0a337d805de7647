#include "voxloom/image/components.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>

#include "voxloom/core/error.h"
#include "voxloom/core/parallel.h"

namespace voxloom::image {
namespace {

using Run = ComponentMap::Run;

void check_length(size_t length, const Index3& size) {
  VOXLOOM_CHECK(length == static_cast<size_t>(size[0] * size[1] * size[2]),
                ErrorCode::kInvalidArgument,
                "components: mask must hold {} voxels, got {}",
                size,
                length);
}

/// First index in [x, end) whose "is zero" state is `zero`, looking at eight bytes at a time.
template <bool kZero>
int64_t find_zero_state(const uint8_t* row, int64_t x, int64_t end) {
  if constexpr (!kZero) {
    for (; x + 8 <= end; x += 8) {
      uint64_t word = 0;
      std::memcpy(&word, row + x, sizeof(word));
      if (word != 0) break;
    }
  }
  while (x < end && (row[x] == 0) != kZero) ++x;
  return x;
}

void scan_mask_row(const uint8_t* row, int64_t width, std::vector<Run>& runs) {
  for (int64_t x = find_zero_state<false>(row, 0, width); x < width;) {
    const int64_t end = find_zero_state<true>(row, x, width);
    runs.push_back({static_cast<int32_t>(x), static_cast<int32_t>(end), 0});
    x = find_zero_state<false>(row, end, width);
  }
}

void scan_label_row(const uint16_t* row, uint16_t value, int64_t width, std::vector<Run>& runs) {
  const uint16_t* const end = row + width;
  for (const uint16_t* p = std::find(row, end, value); p != end;) {
    const uint16_t* const stop = std::find_if(p, end, [=](uint16_t v) { return v != value; });
    runs.push_back({static_cast<int32_t>(p - row), static_cast<int32_t>(stop - row), 0});
    p = std::find(stop, end, value);
  }
}

// The root is always the lowest run of a set: labels come out in memory order.
class UnionFind {
 public:
  explicit UnionFind(size_t n) : parent_(n) { std::iota(parent_.begin(), parent_.end(), 0); }

  int32_t find(int32_t i) {
    while (parent_[static_cast<size_t>(i)] != i) {
      int32_t& up = parent_[static_cast<size_t>(i)];
      up = parent_[static_cast<size_t>(up)];
      i = up;
    }
    return i;
  }
  void unite(int32_t a, int32_t b) {
    a = find(a);
    b = find(b);
    if (a < b) {
      parent_[static_cast<size_t>(b)] = a;
    } else {
      parent_[static_cast<size_t>(a)] = b;
    }
  }

 private:
  std::vector<int32_t> parent_;
};

// Unites the runs of two rows that overlap when one is widened by `reach` pixels at both ends.
void unite_rows(const std::vector<Run>& runs,
                int64_t a,
                int64_t a_end,
                int64_t b,
                int64_t b_end,
                int32_t reach,
                UnionFind& sets) {
  while (a < a_end && b < b_end) {
    const Run& ra = runs[static_cast<size_t>(a)];
    const Run& rb = runs[static_cast<size_t>(b)];
    if (ra.begin < rb.end + reach && rb.begin < ra.end + reach) {
      sets.unite(static_cast<int32_t>(a), static_cast<int32_t>(b));
    }
    if (ra.end < rb.end) {
      ++a;
    } else {
      ++b;
    }
  }
}

// Scans all rows; parallel over chunks of rows, joined in order.
void collect_runs(ComponentMap& map, int64_t rows, const RowScanner& scan) {
  const int64_t chunk_rows = std::max<int64_t>(1, (int64_t{1} << 20) / map.size[0]);
  const int64_t chunks = (rows + chunk_rows - 1) / chunk_rows;
  std::vector<std::vector<Run>> found(static_cast<size_t>(chunks));
  map.row_begin.assign(static_cast<size_t>(rows + 1), 0);
  parallel_for(0, chunks, 1, [&](int64_t first, int64_t last) {
    for (int64_t c = first; c < last; ++c) {
      auto& runs = found[static_cast<size_t>(c)];
      for (int64_t r = c * chunk_rows; r < std::min(rows, (c + 1) * chunk_rows); ++r) {
        const size_t before = runs.size();
        scan(r, runs);
        map.row_begin[static_cast<size_t>(r + 1)] = static_cast<int64_t>(runs.size() - before);
      }
    }
  });
  std::partial_sum(map.row_begin.begin(), map.row_begin.end(), map.row_begin.begin());
  VOXLOOM_CHECK(map.row_begin.back() < std::numeric_limits<int32_t>::max(),
                ErrorCode::kUnsupported,
                "components: at most 2147483646 runs can be labelled, got {}",
                map.row_begin.back());
  map.runs.reserve(static_cast<size_t>(map.row_begin.back()));
  for (auto& runs : found) {
    map.runs.insert(map.runs.end(), runs.begin(), runs.end());
    std::vector<Run>().swap(runs);
  }
}

void number_components(ComponentMap& map, UnionFind& sets) {
  const int64_t width = map.size[0], height = map.size[1];
  const auto rows = static_cast<int64_t>(map.row_begin.size()) - 1;
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t y = r % height, z = r / height;
    for (int64_t i = map.row_begin[static_cast<size_t>(r)];
         i < map.row_begin[static_cast<size_t>(r + 1)];
         ++i) {
      Run& run = map.runs[static_cast<size_t>(i)];
      const int32_t root = sets.find(static_cast<int32_t>(i));
      if (root == i) {
        run.component = static_cast<int32_t>(map.components.size());
        map.components.push_back({0, r * width + run.begin, {run.begin, y, z}, {run.begin, y, z}});
      } else {
        run.component = map.runs[static_cast<size_t>(root)].component;
      }
      Component& c = map.components[static_cast<size_t>(run.component)];
      c.size += run.end - run.begin;
      c.box_min = {std::min<int64_t>(c.box_min[0], run.begin),
                   std::min(c.box_min[1], y),
                   std::min(c.box_min[2], z)};
      c.box_max = {std::max<int64_t>(c.box_max[0], run.end - 1),
                   std::max(c.box_max[1], y),
                   std::max(c.box_max[2], z)};
    }
  }
}

template <class T>
int64_t keep_component(std::span<T> voxels, const ComponentMap& map) {
  const int64_t largest = map.largest();
  map.for_each_run([&](int64_t first, int64_t length, int32_t component) {
    if (component != largest) std::fill_n(voxels.begin() + first, length, T{0});
  });
  return static_cast<int64_t>(map.components.size());
}

}  // namespace

int64_t ComponentMap::largest() const {
  const auto it = std::max_element(
      components.begin(), components.end(), [](const Component& a, const Component& b) {
        return a.size < b.size;  // The first of several maxima, which has the lowest first voxel.
      });
  return it == components.end() ? -1 : it - components.begin();
}

void ComponentMap::for_each_run(const std::function<void(int64_t, int64_t, int32_t)>& fn) const {
  for (size_t r = 0; r + 1 < row_begin.size(); ++r) {
    for (int64_t i = row_begin[r]; i < row_begin[r + 1]; ++i) {
      const Run& run = runs[static_cast<size_t>(i)];
      fn(static_cast<int64_t>(r) * size[0] + run.begin, run.end - run.begin, run.component);
    }
  }
}

std::vector<int32_t> ComponentMap::to_labels() const {
  std::vector<int32_t> labels(static_cast<size_t>(size[0] * size[1] * size[2]), 0);
  for_each_run([&](int64_t first, int64_t length, int32_t component) {
    std::fill_n(labels.begin() + first, length, component + 1);
  });
  return labels;
}

ComponentMap label_components(const Index3& size,
                              Connectivity connectivity,
                              const RowScanner& scan) {
  for (const int64_t n : size) {
    VOXLOOM_CHECK(n > 0 && n < std::numeric_limits<int32_t>::max(),
                  ErrorCode::kInvalidArgument,
                  "components: size must be positive and fit into 31 bits, got {}",
                  size);
  }
  ComponentMap map;
  map.size = size;
  const int64_t height = size[1], depth = size[2];
  collect_runs(map, height * depth, scan);

  // How far runs of the row beside (one of y, z differs) and across (both differ) may be apart.
  const int32_t beside = connectivity == Connectivity::kFaces ? 0 : 1;
  const int32_t across = connectivity == Connectivity::kCorners ? 1 : 0;
  UnionFind sets(map.runs.size());
  for (int64_t z = 0; z < depth; ++z) {
    for (int64_t y = 0; y < height; ++y) {
      const auto row = static_cast<size_t>(z * height + y);
      const int64_t a = map.row_begin[row], a_end = map.row_begin[row + 1];
      if (a == a_end) continue;
      const auto with = [&](int64_t y2, int64_t z2, int32_t reach) {
        if (y2 < 0 || y2 >= height || z2 < 0) return;
        const auto other = static_cast<size_t>(z2 * height + y2);
        unite_rows(map.runs, a, a_end, map.row_begin[other], map.row_begin[other + 1], reach, sets);
      };
      with(y - 1, z, beside);
      with(y, z - 1, beside);
      if (connectivity != Connectivity::kFaces) {
        with(y - 1, z - 1, across);
        with(y + 1, z - 1, across);
      }
    }
  }
  number_components(map, sets);
  return map;
}

ComponentMap label_components(std::span<const uint8_t> mask,
                              const Index3& size,
                              Connectivity connectivity) {
  check_length(mask.size(), size);
  return label_components(size, connectivity, [&](int64_t row, std::vector<Run>& runs) {
    scan_mask_row(mask.data() + row * size[0], size[0], runs);
  });
}

ComponentMap label_components(std::span<const uint16_t> labels,
                              uint16_t value,
                              const Index3& size,
                              Connectivity connectivity) {
  check_length(labels.size(), size);
  return label_components(size, connectivity, [&](int64_t row, std::vector<Run>& runs) {
    scan_label_row(labels.data() + row * size[0], value, size[0], runs);
  });
}

int64_t keep_largest(std::span<uint8_t> mask, const Index3& size, Connectivity connectivity) {
  return keep_component(mask, label_components(mask, size, connectivity));
}

int64_t keep_largest(std::span<uint16_t> labels,
                     uint16_t value,
                     const Index3& size,
                     Connectivity connectivity) {
  return keep_component(labels, label_components(labels, value, size, connectivity));
}

int64_t remove_small(std::span<uint8_t> mask,
                     const Index3& size,
                     int64_t min_voxels,
                     Connectivity connectivity) {
  const ComponentMap map = label_components(mask, size, connectivity);
  map.for_each_run([&](int64_t first, int64_t length, int32_t component) {
    if (map.components[static_cast<size_t>(component)].size < min_voxels) {
      std::fill_n(mask.begin() + first, length, uint8_t{0});
    }
  });
  return std::count_if(map.components.begin(), map.components.end(), [&](const Component& c) {
    return c.size < min_voxels;
  });
}

}  // namespace voxloom::image
