#include "voxloom/infer/scores.h"

#include <algorithm>
#include <cmath>

#include "voxloom/infer/merge.h"

namespace voxloom::infer {
namespace {

/// Pixels that two lists of runs, sorted by row and column, have in common.
int64_t common(const std::vector<Run>& a, const std::vector<Run>& b) {
  int64_t total = 0;
  for (size_t i = 0, k = 0; i < a.size() && k < b.size();) {
    if (a[i].y != b[k].y) {
      (a[i].y < b[k].y ? i : k) += 1;
      continue;
    }
    const int64_t first = std::max(a[i].x0, b[k].x0), last = std::min(a[i].x1, b[k].x1);
    total += std::max<int64_t>(0, last - first + 1);
    (a[i].x1 < b[k].x1 ? i : k) += 1;
  }
  return total;
}

}  // namespace

double voxel_entropy(double p) {
  if (!(p > 0.0 && p < 1.0)) return 0.0;
  return -(p * std::log2(p) + (1.0 - p) * std::log2(1.0 - p));
}

double voxel_hardness(double p) {
  const double likely = std::max(p, 1.0 - p);
  if (!(likely < 1.0)) return 0.0;
  return (1.0 - likely) * (1.0 - likely) * -std::log(likely);
}

void ScoreSums::add(double p) {
  entropy_ += voxel_entropy(p);
  hardness_ += voxel_hardness(p);
  ++count_;
}

std::optional<ObjectScores> ScoreSums::result() const {
  if (count_ == 0) return std::nullopt;
  const auto n = static_cast<double>(count_);
  return ObjectScores{.entropy = entropy_ / n, .disagreement = {}, .hardness = hardness_ / n};
}

std::array<int64_t, 2> dilated(int64_t lo, int64_t hi, int64_t size) {
  const int64_t more = std::max<int64_t>(2, (hi - lo + 1 + 9) / 10);
  return {std::max<int64_t>(0, lo - more), std::min(size - 1, hi + more)};
}

std::optional<double> disagreement_of(const RunMask& a, const RunMask& b) {
  const int64_t total = a.count() + b.count();
  if (total == 0) return std::nullopt;
  int64_t both = 0;
  for (int64_t z = 0; z < std::min(a.size()[2], b.size()[2]); ++z) {
    both += common(a.runs(z), b.runs(z));
  }
  return 1.0 - 2.0 * static_cast<double>(both) / static_cast<double>(total);
}

}  // namespace voxloom::infer
