#include "voxloom/dataset/fluoro_truth.h"

#include <algorithm>
#include <cmath>

namespace voxloom::dataset {
namespace {

constexpr double kRose = 5.0;      // signal to noise at which an observer is sure
constexpr double kLeastMm = 2.0;   // of wire in the field
constexpr double kVertexPx = 1.0;  // spacing of exported vertices

}  // namespace

FluoroWireTruth describe_wire(const FluoroAxis& axis,
                              const FluoroPlane& field,
                              const std::vector<float>& cnr,
                              const std::vector<uint8_t>& instance,
                              double pixel_mm) {
  FluoroWireTruth truth;
  truth.instance = axis.instance;
  const auto pixel_of = [&](FluoroPoint q) -> int64_t {
    if (!(q.x > -0.5 && q.y > -0.5 && q.x < static_cast<double>(field.width) - 0.5 &&
          q.y < static_cast<double>(field.height) - 0.5)) {
      return -1;
    }
    const int64_t p = std::llround(q.y) * field.width + std::llround(q.x);
    return field.values[static_cast<size_t>(p)] > 0.5F ? p : -1;
  };
  const FluoroCurve points = resample(axis.points, kVertexPx);
  bool running = false;
  std::vector<float> all;
  for (size_t i = 0; i < points.size(); ++i) {
    const int64_t p = pixel_of(points[i]);
    if (p < 0) {
      running = false;
      continue;
    }
    if (!running) truth.stretches.emplace_back();
    auto& stretch = truth.stretches.back();
    if (running) truth.length_mm += length(points[i] - points[i - 1]) * pixel_mm;
    running = true;
    stretch.points.push_back({static_cast<float>(points[i].x), static_cast<float>(points[i].y)});
    stretch.cnr.push_back(cnr[static_cast<size_t>(p)]);
    all.push_back(stretch.cnr.back());
  }
  if (running) truth.tip = truth.stretches.back().points.back();
  if (!all.empty()) {
    const auto middle = all.begin() + static_cast<int64_t>(all.size() / 2);
    std::nth_element(all.begin(), middle, all.end());
    truth.cnr = static_cast<double>(*middle);
  }
  double squares = 0.0;
  for (size_t i = 0; i < instance.size(); ++i) {
    if (instance[i] != axis.instance) continue;
    squares += static_cast<double>(cnr[i]) * static_cast<double>(cnr[i]);
  }
  truth.matched_snr = std::sqrt(squares);
  truth.visible = truth.length_mm >= kLeastMm && truth.matched_snr >= kRose;
  return truth;
}

}  // namespace voxloom::dataset
