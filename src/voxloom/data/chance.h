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

/// Does something to every frame of a clip: with the same numbers from `own`, with other ones from
/// `grain`. f(Example& frame, Rng& own, Rng& grain).
template <class Clip, class F>
void for_each_frame(Clip& clip, Rng& rng, const F& f) {
  const uint64_t seed = rng.next();
  for (size_t i = 0; i < clip.size(); ++i) {
    Rng own(seed, 0), grain(seed, 1 + i);
    f(clip[i], own, grain);
  }
}

/// Below 1 and above 1 equally often: uniform in [lo, 1) or [1, hi).
inline double around_one(Rng& rng, double lo, double hi) {
  return rng.uniform() < 0.5 ? rng.uniform(lo, 1.0) : rng.uniform(1.0, hi);
}

inline double log_uniform(Rng& rng, double lo, double hi) {
  return lo * std::pow(hi / lo, rng.uniform());
}

}  // namespace voxloom::data
