#include "voxloom/infer/biplane_match.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace voxloom::infer {
namespace {

constexpr size_t kMostPoints = 400;
// Costs of one point: half its squared mismatch in sigma while it has a partner, this when not.
// A pair at 3 sigma is therefore dearer than two points left out.
constexpr double kSkip = 2.0;
// At the ends a point may be outside the other field of view: cheaper, but never free.
constexpr double kSkipEnd = 1.0;
// Beginning to leave points out in the middle: or noise would tear the curve to pieces.
constexpr double kOpenGap = 6.0;
// Standing still on one curve: breaks ties where the curve runs along the epipolar lines.
constexpr double kStandStill = 0.05;

std::vector<size_t> thinned(const ViewCurve& curve) {
  std::vector<size_t> indices;
  const size_t step = (curve.points.size() + kMostPoints - 1) / kMostPoints;
  for (size_t i = 0; i < curve.points.size(); i += step) {
    if (curve.seen[i] != 0) indices.push_back(i);
  }
  // The tip counts most.
  const size_t last = curve.points.size() - 1;
  if (!indices.empty() && indices.back() != last && curve.seen[last] != 0) indices.push_back(last);
  return indices;
}

/// How the best path comes to a cell: what was done last, and from which state.
enum State : uint8_t { kPair, kSkipA, kSkipB, kStates };
enum Step : uint8_t { kStart, kBoth, kOnA, kOnB };

struct Cell {
  std::array<double, kStates> cost;
  std::array<uint8_t, kStates> step, from;
};

class Table {
 public:
  Table(const BiplaneRig& rig,
        const ViewCurve& a,
        const ViewCurve& b,
        const std::vector<size_t>& ia,
        const std::vector<size_t>& ib,
        double sigma_px)
      : rows_(ia.size()), columns_(ib.size()), cells_(rows_ * columns_) {
    for (size_t i = 0; i < rows_; ++i) {
      for (size_t j = 0; j < columns_; ++j) {
        const double miss = rig.mismatch_px(a.points[ia[i]], b.points[ib[j]]) / sigma_px;
        fill(i, j, 0.5 * miss * miss);
      }
    }
  }

  /// The best path: its pairs (indices of the thinned curves) and its cost.
  [[nodiscard]] CurveMatch best() const {
    double least = std::numeric_limits<double>::infinity();
    size_t end_i = 0, end_j = 0;
    const auto consider = [&](size_t i, size_t j) {
      const double rest = kSkipEnd * static_cast<double>((rows_ - 1 - i) + (columns_ - 1 - j));
      const double total = at(i, j).cost[kPair] + rest;
      if (total < least) {
        least = total;
        end_i = i;
        end_j = j;
      }
    };
    for (size_t i = 0; i < rows_; ++i) consider(i, columns_ - 1);
    for (size_t j = 0; j < columns_; ++j) consider(rows_ - 1, j);
    CurveMatch match{.pairs = {}, .cost = least / static_cast<double>(rows_ + columns_)};
    if (!std::isfinite(least)) return match;
    size_t i = end_i, j = end_j;
    uint8_t state = kPair;
    while (true) {
      const Cell& cell = at(i, j);
      if (state == kPair) match.pairs.push_back({i, j});
      const uint8_t step = cell.step[state], from = cell.from[state];
      if (step == kStart) break;
      if (step != kOnB) --i;
      if (step != kOnA) --j;
      state = from;
    }
    std::reverse(match.pairs.begin(), match.pairs.end());
    return match;
  }

 private:
  [[nodiscard]] const Cell& at(size_t i, size_t j) const { return cells_[i * columns_ + j]; }

  void fill(size_t i, size_t j, double mismatch) {
    Cell& cell = cells_[i * columns_ + j];
    cell.cost.fill(std::numeric_limits<double>::infinity());
    const auto offer = [&](State state, double cost, Step step, uint8_t from) {
      if (cost < cell.cost[state]) {
        cell.cost[state] = cost;
        cell.step[state] = step;
        cell.from[state] = from;
      }
    };
    if (i == 0 || j == 0) {
      offer(kPair, kSkipEnd * static_cast<double>(i + j) + 2.0 * mismatch, kStart, kPair);
    }
    if (i > 0 && j > 0) {
      const Cell& before = at(i - 1, j - 1);
      for (uint8_t s = 0; s < kStates; ++s) offer(kPair, before.cost[s] + 2.0 * mismatch, kBoth, s);
    }
    if (i > 0) {
      const Cell& before = at(i - 1, j);
      offer(kPair, before.cost[kPair] + mismatch + kStandStill, kOnA, kPair);
      offer(kSkipA, before.cost[kPair] + kSkip + kOpenGap, kOnA, kPair);
      offer(kSkipA, before.cost[kSkipA] + kSkip, kOnA, kSkipA);
    }
    if (j > 0) {
      const Cell& before = at(i, j - 1);
      offer(kPair, before.cost[kPair] + mismatch + kStandStill, kOnB, kPair);
      offer(kSkipB, before.cost[kPair] + kSkip + kOpenGap, kOnB, kPair);
      offer(kSkipB, before.cost[kSkipB] + kSkip, kOnB, kSkipB);
      // Both views may miss a part, each its own.
      offer(kSkipB, before.cost[kSkipA] + kSkip, kOnB, kSkipA);
    }
  }

  size_t rows_, columns_;
  std::vector<Cell> cells_;
};

}  // namespace

CurveMatch match_curves(const BiplaneRig& rig,
                        const ViewCurve& a,
                        const ViewCurve& b,
                        double sigma_px) {
  if (a.points.size() < 2 || b.points.size() < 2) return {};
  const auto ia = thinned(a), ib = thinned(b);
  if (ia.size() < 2 || ib.size() < 2) return {};
  auto match = Table(rig, a, b, ia, ib, sigma_px).best();
  for (auto& pair : match.pairs) pair = {.a = ia[pair.a], .b = ib[pair.b]};
  return match;
}

}  // namespace voxloom::infer
