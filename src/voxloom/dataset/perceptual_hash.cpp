#include "voxloom/dataset/perceptual_hash.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <vector>

#include "voxloom/core/error.h"

namespace voxloom::dataset {
namespace {

constexpr int64_t kColumns = 9, kRows = 8;

/// Pixels of one axis that a cell covers, with the covered share of each.
struct Cell {
  int64_t first = 0;
  std::vector<double> shares;
};

Cell cell_of(int64_t index, int64_t cells, int64_t size) {
  const double low = static_cast<double>(index * size) / static_cast<double>(cells);
  const double high = static_cast<double>((index + 1) * size) / static_cast<double>(cells);
  Cell cell{.first = static_cast<int64_t>(low), .shares = {}};
  for (int64_t i = cell.first; i < size && static_cast<double>(i) < high; ++i) {
    const auto at = static_cast<double>(i);
    cell.shares.push_back(std::min(high, at + 1.0) - std::max(low, at));
  }
  return cell;
}

/// [8, 9] means of the cells, rounded to 8 bits so that flat parts have no order.
std::array<int64_t, kColumns * kRows> shrink(std::span<const float> pixels,
                                             int64_t width,
                                             int64_t height) {
  std::array<Cell, kColumns> columns;
  for (int64_t x = 0; x < kColumns; ++x)
    columns[static_cast<size_t>(x)] = cell_of(x, kColumns, width);
  std::array<int64_t, kColumns * kRows> out{};
  const double area = static_cast<double>(width * height) / static_cast<double>(kColumns * kRows);
  for (int64_t row = 0; row < kRows; ++row) {
    const Cell rows = cell_of(row, kRows, height);
    std::array<double, kColumns> sums{};
    for (size_t v = 0; v < rows.shares.size(); ++v) {
      const float* line = pixels.data() + (rows.first + static_cast<int64_t>(v)) * width;
      for (size_t x = 0; x < columns.size(); ++x) {
        double sum = 0.0;
        for (size_t u = 0; u < columns[x].shares.size(); ++u) {
          sum += columns[x].shares[u] *
                 static_cast<double>(line[columns[x].first + static_cast<int64_t>(u)]);
        }
        sums[x] += rows.shares[v] * sum;
      }
    }
    for (size_t x = 0; x < sums.size(); ++x) {
      out[static_cast<size_t>(row) * kColumns + x] = std::lround(255.0 * sums[x] / area);
    }
  }
  return out;
}

/// Five bands of 13, 13, 13, 13 and 12 bits.
constexpr int kBands = kNearDistance + 1;
constexpr int kBandBits = 13;
static_assert(kBands * kBandBits >= 64);

uint64_t band(uint64_t hash, int index) {
  return hash >> (index * kBandBits) & ((uint64_t{1} << kBandBits) - 1);
}

/// Pictures of one hash.
struct Bunch {
  uint64_t hash = 0;
  std::vector<size_t> members;
  int group = 0;
  bool mixed = false;  ///< Of several groups.
};

std::vector<Bunch> bunches_of(std::span<const uint64_t> hashes, std::span<const int> groups) {
  std::vector<size_t> order(hashes.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(
      order.begin(), order.end(), [&](size_t a, size_t b) { return hashes[a] < hashes[b]; });
  std::vector<Bunch> out;
  for (const size_t i : order) {
    if (out.empty() || out.back().hash != hashes[i]) {
      out.push_back({.hash = hashes[i], .members = {}, .group = groups[i]});
    }
    out.back().members.push_back(i);
    if (groups[i] != out.back().group) out.back().mixed = true;
  }
  return out;
}

}  // namespace

uint64_t difference_hash(std::span<const float> pixels, int64_t width, int64_t height) {
  VOXLOOM_CHECK(width > 0 && height > 0 && pixels.size() == static_cast<size_t>(width * height),
                ErrorCode::kInvalidArgument,
                "difference hash: must have width times height pixels, got {} for {}x{}",
                pixels.size(),
                width,
                height);
  const auto cells = shrink(pixels, width, height);
  uint64_t hash = 0;
  for (size_t row = 0; row < kRows; ++row) {
    for (size_t x = 0; x + 1 < kColumns; ++x) {
      const size_t at = row * kColumns + x;
      hash = hash << 1 | static_cast<uint64_t>(cells[at] < cells[at + 1]);
    }
  }
  return hash;
}

void for_each_near_pair(std::span<const uint64_t> hashes,
                        std::span<const int> groups,
                        const std::function<void(size_t, size_t, int)>& found) {
  VOXLOOM_CHECK(hashes.size() == groups.size(),
                ErrorCode::kInvalidArgument,
                "near pairs: must have a group for every hash, got {} for {}",
                groups.size(),
                hashes.size());
  const auto bunches = bunches_of(hashes, groups);
  const auto report = [&](const Bunch& one, const Bunch& other, int distance) {
    for (const size_t a : one.members) {
      for (const size_t b : other.members) {
        if (groups[a] == groups[b] || (&one == &other && b <= a)) continue;
        found(std::min(a, b), std::max(a, b), distance);
      }
    }
  };
  for (const auto& bunch : bunches) {
    if (bunch.mixed) report(bunch, bunch, 0);
  }
  std::vector<size_t> order(bunches.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  for (int k = 0; k < kBands; ++k) {
    const auto key = [&](size_t i) { return band(bunches[i].hash, k); };
    std::stable_sort(
        order.begin(), order.end(), [&](size_t a, size_t b) { return key(a) < key(b); });
    for (size_t first = 0, last = 0; first < order.size(); first = last) {
      while (last < order.size() && key(order[last]) == key(order[first])) ++last;
      for (size_t i = first; i < last; ++i) {
        for (size_t j = i + 1; j < last; ++j) {
          const Bunch& a = bunches[order[i]];
          const Bunch& b = bunches[order[j]];
          if (a.group == b.group && !a.mixed && !b.mixed) continue;
          const int distance = std::popcount(a.hash ^ b.hash);
          if (distance > kNearDistance) continue;
          // A pair that shares an earlier band was found there.
          bool before = false;
          for (int e = 0; e < k && !before; ++e) before = band(a.hash, e) == band(b.hash, e);
          if (!before) report(a, b, distance);
        }
      }
    }
  }
}

}  // namespace voxloom::dataset
