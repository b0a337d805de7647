#include "voxloom/infer/wire_motion.h"

#include <algorithm>
#include <cmath>

namespace voxloom::infer {
namespace {

constexpr double kMeasuredPx = 1.0;
// A catheter lab's wire is pushed at up to 40 mm/s and the heart shakes it: about 2000 px/s^2.
constexpr double kAcceleration = 2000.0;
constexpr double kGateVariances = 9.0;  // 3 standard deviations.
constexpr int kSlips = 2;

/// `count` points at equal steps of arc length.
std::vector<Point2> spread(const std::vector<Point2>& line, size_t count) {
  std::vector<double> at(line.size(), 0.0);
  for (size_t i = 1; i < line.size(); ++i) {
    at[i] = at[i - 1] + std::hypot(line[i][0] - line[i - 1][0], line[i][1] - line[i - 1][1]);
  }
  std::vector<Point2> out;
  size_t k = 0;
  for (size_t i = 0; i < count; ++i) {
    const double target =
        count == 1 ? 0.0 : at.back() * static_cast<double>(i) / static_cast<double>(count - 1);
    while (k + 2 < line.size() && at[k + 1] < target) ++k;
    if (line.size() == 1) {
      out.push_back(line.front());
      continue;
    }
    const double width = at[k + 1] - at[k];
    const double t = width > 0.0 ? std::clamp((target - at[k]) / width, 0.0, 1.0) : 0.0;
    out.push_back({line[k][0] + t * (line[k + 1][0] - line[k][0]),
                   line[k][1] + t * (line[k + 1][1] - line[k][1])});
  }
  return out;
}

}  // namespace

void KalmanAxis::start(double position) {
  x_ = position;
  v_ = 0.0;
  pxx_ = r_;
  pxv_ = 0.0;
  pvv_ = 1e4;  // A wire may move at 100 px/s when it is first seen.
}

void KalmanAxis::predict(double dt) {
  x_ += v_ * dt;
  pxx_ += 2.0 * dt * pxv_ + dt * dt * pvv_ + q_ * dt * dt * dt * dt / 4.0;
  pxv_ += dt * pvv_ + q_ * dt * dt * dt / 2.0;
  pvv_ += q_ * dt * dt;
}

double KalmanAxis::surprise(double position) const {
  const double d = position - x_;
  return d * d / (pxx_ + r_);
}

void KalmanAxis::update(double position) {
  const double s = pxx_ + r_, kx = pxx_ / s, kv = pxv_ / s, d = position - x_;
  x_ += kx * d;
  v_ += kv * d;
  const double pxx = (1.0 - kx) * pxx_, pxv = (1.0 - kx) * pxv_;
  pvv_ -= kv * pxv_;
  pxx_ = pxx;
  pxv_ = pxv;
}

void WireMotion::reset() {
  started_ = false;
  slips_ = 0;
  points_.clear();
}

void WireMotion::advance(double time_s) {
  const double dt = std::clamp(time_s - time_s_, 0.0, 1.0);
  for (auto& point : points_) {
    for (auto& axis : point) axis.predict(dt);
  }
  time_s_ = time_s;
}

void WireMotion::see(const std::vector<Point2>& centerline, double time_s) {
  if (centerline.empty()) return;
  const auto seen = spread(centerline, kPoints);
  if (started_) {
    advance(time_s);
    const auto& tip = points_.back();
    const double surprise = tip[0].surprise(seen.back()[0]) + tip[1].surprise(seen.back()[1]);
    if (surprise > kGateVariances && slips_ < kSlips) {
      ++slips_;
      return;
    }
    if (surprise <= kGateVariances) {
      for (size_t i = 0; i < kPoints; ++i) {
        for (size_t axis = 0; axis < 2; ++axis) points_[i][axis].update(seen[i][axis]);
      }
      slips_ = 0;
      return;
    }
  }
  points_.assign(
      kPoints,
      Pair{KalmanAxis(kMeasuredPx, kAcceleration), KalmanAxis(kMeasuredPx, kAcceleration)});
  for (size_t i = 0; i < kPoints; ++i) {
    for (size_t axis = 0; axis < 2; ++axis) points_[i][axis].start(seen[i][axis]);
  }
  started_ = true;
  slips_ = 0;
  time_s_ = time_s;
}

Point2 WireMotion::tip(double time_s) {
  advance(time_s);
  return {points_.back()[0].position(), points_.back()[1].position()};
}

std::vector<Point2> WireMotion::predict(double time_s) {
  advance(time_s);
  std::vector<Point2> line;
  for (const auto& point : points_) line.push_back({point[0].position(), point[1].position()});
  const auto count = static_cast<size_t>(std::max(2.0, std::round(path_length(line)) + 1.0));
  return spread(line, count);
}

}  // namespace voxloom::infer
