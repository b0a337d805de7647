#pragma once

#include <cmath>

#include "voxloom/core/random.h"

namespace voxloom::data {

/// Draws whether an augmentation of this probability runs.
struct Chance {
  Rng& rng;
  double strength = 1.0;  ///< Multiplies every probability.
  bool operator()(double probability) const { return rng.uniform() < probability * strength; }
};

/// Below 1 and above 1 equally often: uniform in [lo, 1) or [1, hi).
inline double around_one(Rng& rng, double lo, double hi) {
  return rng.uniform() < 0.5 ? rng.uniform(lo, 1.0) : rng.uniform(1.0, hi);
}

inline double log_uniform(Rng& rng, double lo, double hi) {
  return lo * std::pow(hi / lo, rng.uniform());
}

}  // namespace voxloom::data
