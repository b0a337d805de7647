#include "voxloom/infer/geodesic_scores.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace voxloom::infer::geodesic {
namespace {

/// The dilated box of the object inside the field; absent for an empty object.
std::optional<Region> box_of(const RunMask& object, const Region& field) {
  constexpr auto kNone = std::numeric_limits<int64_t>::max();
  Region box{{kNone, kNone, kNone}, {-1, -1, -1}};
  for (int64_t z = 0; z < object.size()[2]; ++z) {
    for (const auto& run : object.runs(z)) {
      box.lo = {std::min<int64_t>(box.lo[0], run.x0),
                std::min<int64_t>(box.lo[1], run.y),
                std::min(box.lo[2], z)};
      box.hi = {std::max<int64_t>(box.hi[0], run.x1), std::max<int64_t>(box.hi[1], run.y), z};
    }
  }
  if (box.hi[2] < 0) return std::nullopt;
  for (size_t a = 0; a < 3; ++a) {
    const auto ends = dilated(box.lo[a], box.hi[a], object.size()[a]);
    box.lo[a] = std::max(ends[0], field.lo[a]);
    box.hi[a] = std::min(ends[1], field.hi[a]);
    if (box.lo[a] > box.hi[a]) return std::nullopt;
  }
  return box;
}

/// Two classes of intensities: around the object (0) and the object (1).
struct Classes {
  std::array<double, 2> count{}, sum{}, squares{};
  double shift = 0.0;  ///< Taken off every value, so that the squares keep their digits.

  void add(size_t which, double value) {
    value -= shift;
    count[which] += 1.0;
    sum[which] += value;
    squares[which] += value * value;
  }
  [[nodiscard]] double mean(size_t which) const { return shift + sum[which] / count[which]; }
  [[nodiscard]] double common_variance() const {
    const double within =
        squares[0] - sum[0] * sum[0] / count[0] + squares[1] - sum[1] * sum[1] / count[1];
    return std::max(0.0, within) / (count[0] + count[1]);
  }
};

/// Calls fn(field index, inside the object) for the voxels of the box.
template <class Fn>
void for_box(const Field& field, const Region& box, const RunMask& object, Fn&& fn) {
  for (int64_t z = box.lo[2]; z <= box.hi[2]; ++z) {
    const auto& runs = object.runs(z);
    auto run = runs.begin();
    for (int64_t y = box.lo[1]; y <= box.hi[1]; ++y) {
      int64_t i = field.index({box.lo[0], y, z});
      for (int64_t x = box.lo[0]; x <= box.hi[0]; ++x, ++i) {
        while (run != runs.end() && (run->y < y || (run->y == y && run->x1 < x))) ++run;
        fn(i, run != runs.end() && run->y == y && run->x0 <= x);
      }
    }
  }
}

}  // namespace

std::optional<ObjectScores> score_object(const Field& field,
                                         const RunMask& object,
                                         const CancelToken& stop) {
  const auto box = box_of(object, field.region);
  if (!box) return std::nullopt;
  stop.check();
  Classes classes;
  classes.shift = field.smooth[static_cast<size_t>(field.index(box->lo))];
  for_box(field, *box, object, [&](int64_t i, bool inside) {
    classes.add(inside ? 1 : 0, field.smooth[static_cast<size_t>(i)]);
  });
  if (classes.count[0] == 0.0 || classes.count[1] == 0.0) return std::nullopt;
  stop.check();
  // At least the noise of the field: a drawing without noise is certain, not infinitely so.
  const double variance = std::max(classes.common_variance(), field.noise * field.noise);
  const double difference = classes.mean(1) - classes.mean(0);
  const double middle = 0.5 * (classes.mean(1) + classes.mean(0));
  const double prior = std::log(classes.count[1] / classes.count[0]);
  const double slope = variance > 0.0 ? difference / variance : 0.0;
  ScoreSums sums;
  for_box(field, *box, object, [&](int64_t i, bool /*inside*/) {
    const double logit = slope * (field.smooth[static_cast<size_t>(i)] - middle) + prior;
    sums.add(1.0 / (1.0 + std::exp(-logit)));
  });
  return sums.result();
}

}  // namespace voxloom::infer::geodesic
