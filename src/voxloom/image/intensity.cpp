#include "voxloom/image/intensity.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <map>
#include <type_traits>

#include "voxloom/core/error.h"
#include "voxloom/core/parallel.h"

namespace voxloom::image {
namespace {

constexpr int kDigitBits = 16;
constexpr int64_t kSlabBytes = int64_t{64} << 20;

// Only values above 0 are turned into keys: there the bits of every type are in order already.
template <class T>
uint64_t key_of(T value) {
  if constexpr (std::is_same_v<T, float>) {
    return std::bit_cast<uint32_t>(value);
  } else if constexpr (std::is_same_v<T, double>) {
    return std::bit_cast<uint64_t>(value);
  } else {
    return static_cast<uint64_t>(value);
  }
}

double value_of(uint64_t key, PixelType type) {
  return dispatch(type, [&](auto t) -> double {
    using T = decltype(t);
    if constexpr (std::is_same_v<T, float>) {
      return static_cast<double>(std::bit_cast<float>(static_cast<uint32_t>(key)));
    } else if constexpr (std::is_same_v<T, double>) {
      return std::bit_cast<double>(key);
    } else {
      return static_cast<double>(static_cast<T>(key));
    }
  });
}

int key_bits(PixelType type) {
  return std::max(kDigitBits, static_cast<int>(bytes_per_voxel(type)) * 8);
}

// fn(part, voxels) for consecutive pieces of the volume; pieces of one slab run at once, each with
// its own part number below thread_budget().
template <class Fn>
void for_each_piece(VolumeSource& source, int64_t parts, Fn fn) {
  const Index3& size = source.geometry().size;
  const int64_t slice_bytes =
      size[0] * size[1] * static_cast<int64_t>(bytes_per_voxel(source.type()));
  const int64_t step = std::clamp<int64_t>(kSlabBytes / slice_bytes, 1, size[2]);
  for (int64_t z = 0; z < size[2]; z += step) {
    const Volume slab = source.read_slab(z, std::min(size[2], z + step));
    dispatch(slab.type(), [&](auto t) {
      const auto voxels = slab.as<decltype(t)>();
      const auto n = static_cast<int64_t>(voxels.size());
      parallel_for(0, parts, 1, [&](int64_t first, int64_t last) {
        for (int64_t part = first; part < last; ++part) {
          const auto begin = static_cast<size_t>(n * part / parts);
          const auto end = static_cast<size_t>(n * (part + 1) / parts);
          fn(part, voxels.subspan(begin, end - begin));
        }
      });
    });
  }
}

template <class T>
void add_to_summary(IntensitySummary& s, std::span<const T> voxels) {
  using Limits = std::numeric_limits<T>;
  T min = Limits::has_infinity ? Limits::infinity() : Limits::max();
  T max = Limits::has_infinity ? static_cast<T>(-Limits::infinity()) : Limits::lowest();
  int64_t nan = 0, low = 0, positive = 0;
  for (const T v : voxels) {
    if constexpr (std::is_floating_point_v<T>) nan += std::isnan(v);
    if constexpr (std::is_signed_v<T> && sizeof(T) > 1) low += v < T{-500};
    positive += v > T{0};
    min = v < min ? v : min;
    max = v > max ? v : max;
  }
  const auto count = static_cast<int64_t>(voxels.size());
  if (count > nan) {
    const bool first = s.voxels == s.nan;
    s.min = first ? static_cast<double>(min) : std::min(s.min, static_cast<double>(min));
    s.max = first ? static_cast<double>(max) : std::max(s.max, static_cast<double>(max));
  }
  s.voxels += count;
  s.nan += nan;
  s.below_minus_500 += low;
  s.above_zero += positive;
}

}  // namespace

/// Counts and extremes of the keys that share a prefix, by their next 16 bits.
struct IntensityScan::Table {
  struct Bin {
    uint64_t count = 0;
    uint64_t min = std::numeric_limits<uint64_t>::max(), max = 0;
  };
  std::vector<Bin> bins = std::vector<Bin>(size_t{1} << kDigitBits);

  void add(uint64_t key, int shift) {
    Bin& bin = bins[(key >> shift) & 0xFFFF];
    ++bin.count;
    bin.min = std::min(bin.min, key);
    bin.max = std::max(bin.max, key);
  }
  void add(const Table& other) {
    for (size_t i = 0; i < bins.size(); ++i) {
      bins[i].count += other.bins[i].count;
      bins[i].min = std::min(bins[i].min, other.bins[i].min);
      bins[i].max = std::max(bins[i].max, other.bins[i].max);
    }
  }
};

IntensityScan::IntensityScan(VolumeSource& source, Histogram histogram) : source_(source) {
  const bool count = histogram == Histogram::kCount;
  const int64_t parts = thread_budget();
  const int shift = key_bits(source.type()) - kDigitBits;
  std::vector<IntensitySummary> summaries(static_cast<size_t>(parts));
  std::vector<Table> tables(count ? static_cast<size_t>(parts) : 0);
  for_each_piece(source, parts, [&](int64_t part, auto voxels) {
    using T = std::remove_const_t<typename decltype(voxels)::element_type>;
    add_to_summary<T>(summaries[static_cast<size_t>(part)], voxels);
    if (!count) return;
    Table& table = tables[static_cast<size_t>(part)];
    for (const T v : voxels) {
      if (v > T{0}) table.add(key_of(v), shift);
    }
  });
  bool any = false;
  for (const auto& s : summaries) {
    summary_.voxels += s.voxels;
    summary_.nan += s.nan;
    summary_.above_zero += s.above_zero;
    summary_.below_minus_500 += s.below_minus_500;
    if (s.voxels == s.nan) continue;
    summary_.min = any ? std::min(summary_.min, s.min) : s.min;
    summary_.max = any ? std::max(summary_.max, s.max) : s.max;
    any = true;
  }
  if (!count) return;
  positive_ = std::make_unique<Table>();
  for (const auto& table : tables) positive_->add(table);
}

IntensityScan::~IntensityScan() = default;

std::vector<double> IntensityScan::percentiles_above_zero(const std::vector<double>& percents) {
  VOXLOOM_CHECK(positive_ != nullptr,
                ErrorCode::kInternal,
                "percentile: needs a scan with a histogram, got one without");
  const int64_t n = summary_.above_zero;
  VOXLOOM_CHECK(n > 0,
                ErrorCode::kInvalidArgument,
                "percentile: needs voxels above 0, got a maximum of {}",
                summary_.max);
  // The order statistics that are wanted, and how far each is known.
  struct Wanted {
    uint64_t rank;        // Within the keys that share `prefix`.
    uint64_t prefix = 0;  // Key bits above `shift`.
    int shift;
    bool done = false;
    uint64_t key = 0;
  };
  const PixelType type = source_.type();
  const int bits = key_bits(type);
  std::vector<Wanted> wanted;
  std::vector<double> positions;
  for (const double p : percents) {
    VOXLOOM_CHECK(p >= 0 && p <= 100,
                  ErrorCode::kInvalidArgument,
                  "percentile: must lie within [0, 100], got {}",
                  p);
    const double at = p / 100.0 * static_cast<double>(n - 1);
    const auto below = static_cast<uint64_t>(at);
    positions.push_back(at);
    wanted.push_back({below, 0, bits});
    wanted.push_back({std::min(below + 1, static_cast<uint64_t>(n - 1)), 0, bits});
  }

  const auto locate = [](Wanted& w, const Table& table) {
    size_t digit = 0;
    while (w.rank >= table.bins[digit].count) w.rank -= table.bins[digit++].count;
    w.prefix = w.prefix << kDigitBits | digit;
    w.shift -= kDigitBits;
    const auto& bin = table.bins[digit];
    w.done = bin.min == bin.max;
    w.key = bin.min;
  };
  for (auto& w : wanted) locate(w, *positive_);

  while (std::any_of(wanted.begin(), wanted.end(), [](const Wanted& w) { return !w.done; })) {
    // All unresolved prefixes have the same length: one pass refines them together.
    std::map<uint64_t, Table> tables;
    int shift = 0;
    for (const auto& w : wanted) {
      if (w.done) continue;
      tables.try_emplace(w.prefix);
      shift = w.shift;
    }
    // Parallel reading would need a table per thread and prefix; this pass touches few voxels.
    for_each_piece(source_, 1, [&](int64_t, auto voxels) {
      using T = std::remove_const_t<typename decltype(voxels)::element_type>;
      for (const T v : voxels) {
        if (!(v > T{0})) continue;
        const uint64_t key = key_of(v);
        for (auto& [prefix, table] : tables) {
          if (key >> shift == prefix) table.add(key, shift - kDigitBits);
        }
      }
    });
    for (auto& w : wanted) {
      if (!w.done) locate(w, tables.at(w.prefix));
    }
  }

  std::vector<double> out;
  for (size_t i = 0; i < percents.size(); ++i) {
    const double a = value_of(wanted[2 * i].key, type), b = value_of(wanted[2 * i + 1].key, type);
    const double t = positions[i] - std::floor(positions[i]);
    // numpy interpolates from the nearer end.
    out.push_back(t >= 0.5 ? b - (b - a) * (1.0 - t) : a + (b - a) * t);
  }
  return out;
}

}  // namespace voxloom::image
