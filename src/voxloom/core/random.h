#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace voxloom {

/// A small random generator whose numbers depend on the seed alone: the same on every machine,
/// compiler and standard library (std:: distributions are not). xoshiro256++ (Blackman and Vigna,
/// ACM TOMS 47, 2021), its state filled by SplitMix64. Not for secrets. Not thread-safe: give every
/// thread or item its own, by stream.
class Rng {
 public:
  /// Different streams of one seed are independent for all practical purposes.
  explicit Rng(uint64_t seed, uint64_t stream = 0);

  [[nodiscard]] uint64_t next();

  /// Uniform in [0, 1), 53 bits.
  [[nodiscard]] double uniform();
  [[nodiscard]] double uniform(double lo, double hi) { return lo + (hi - lo) * uniform(); }

  /// Uniform in [0, n) without bias. Throws kInvalidArgument for n = 0.
  [[nodiscard]] uint64_t below(uint64_t n);

  /// Standard normal (Marsaglia's polar method).
  [[nodiscard]] double normal();
  [[nodiscard]] double normal(double mean, double std) { return mean + std * normal(); }

  /// Fisher-Yates shuffle of anything with size() and operator[].
  template <class Items>
  void shuffle(Items& items) {
    for (size_t i = items.size(); i > 1; --i) {
      const auto j = static_cast<size_t>(below(i));
      if (j != i - 1) std::swap(items[i - 1], items[j]);
    }
  }

 private:
  std::array<uint64_t, 4> state_;
  double spare_ = 0.0;
  bool has_spare_ = false;
};

}  // namespace voxloom
