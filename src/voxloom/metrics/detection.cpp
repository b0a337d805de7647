#include "voxloom/metrics/detection.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <vector>

namespace voxloom::metrics {
namespace {

double iou_of(const std::array<double, 4>& a, const std::array<double, 4>& b) {
  const double w = std::min(a[2], b[2]) - std::max(a[0], b[0]);
  const double h = std::min(a[3], b[3]) - std::max(a[1], b[1]);
  if (w <= 0.0 || h <= 0.0) return 0.0;
  const auto area = [](const std::array<double, 4>& x) { return (x[2] - x[0]) * (x[3] - x[1]); };
  return w * h / (area(a) + area(b) - w * h);
}

/// Area below the curve of (recall, precision) after each found box.
double area_below(const std::vector<bool>& right, int64_t truths) {
  std::vector<double> precision, recall;
  double hits = 0.0;
  for (size_t i = 0; i < right.size(); ++i) {
    hits += right[i] ? 1.0 : 0.0;
    precision.push_back(hits / static_cast<double>(i + 1));
    recall.push_back(hits / static_cast<double>(truths));
  }
  for (size_t i = precision.size(); i-- > 1;) {
    precision[i - 1] = std::max(precision[i - 1], precision[i]);
  }
  double area = 0.0, before = 0.0;
  for (size_t i = 0; i < precision.size(); ++i) {
    area += (recall[i] - before) * precision[i];
    before = recall[i];
  }
  return area;
}

}  // namespace

DetectionScores detection_scores(std::span<const FoundBox> found,
                                 std::span<const TrueBox> truth,
                                 double iou) {
  if (truth.empty()) {
    const double all = found.empty() ? 1.0 : 0.0;
    return {
        .average_precision = all, .precision = all, .recall = all, .f1 = all, .best_recall = all};
  }
  std::vector<size_t> order(found.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return found[a].confidence > found[b].confidence;
  });
  std::vector<bool> taken(truth.size(), false), right(found.size(), false);
  for (size_t rank = 0; rank < order.size(); ++rank) {
    const FoundBox& box = found[order[rank]];
    size_t best = truth.size();
    double overlap = iou;
    for (size_t t = 0; t < truth.size(); ++t) {
      if (taken[t] || truth[t].image != box.image || truth[t].label != box.label) continue;
      const double value = iou_of(truth[t].box, box.box);
      if (value >= overlap) {
        overlap = value;
        best = t;
      }
    }
    if (best == truth.size()) continue;
    taken[best] = true;
    right[rank] = true;
  }

  DetectionScores scores;
  std::set<int64_t> labels;
  for (const TrueBox& box : truth) labels.insert(box.label);
  for (const int64_t label : labels) {
    std::vector<bool> own;
    for (size_t rank = 0; rank < order.size(); ++rank) {
      if (found[order[rank]].label == label) own.push_back(right[rank]);
    }
    const auto count = std::count_if(
        truth.begin(), truth.end(), [&](const TrueBox& box) { return box.label == label; });
    scores.average_precision += area_below(own, count) / static_cast<double>(labels.size());
  }
  double hits = 0.0;
  const auto truths = static_cast<double>(truth.size());
  for (size_t rank = 0; rank < order.size(); ++rank) {
    hits += right[rank] ? 1.0 : 0.0;
    // A threshold can't part boxes of equal confidence.
    const double confidence = found[order[rank]].confidence;
    if (rank + 1 < order.size() && found[order[rank + 1]].confidence == confidence) continue;
    const auto taken_boxes = static_cast<double>(rank + 1);
    const double f1 = 2.0 * hits / (taken_boxes + truths);
    if (f1 > scores.f1) {
      scores.f1 = f1;
      scores.precision = hits / taken_boxes;
      scores.recall = hits / truths;
      scores.threshold = confidence;
    }
  }
  scores.best_recall = hits / truths;
  return scores;
}

}  // namespace voxloom::metrics
