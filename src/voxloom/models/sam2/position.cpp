#include "voxloom/models/sam2/position.h"

#include <cmath>
#include <numbers>

#include <torch/torch.h>

namespace voxloom::models::sam2 {
namespace {

constexpr double kTemperature = 10000.0;

/// Divisors 10000^(2 floor(j / 2) / n), j = 0..n-1, as double.
at::Tensor divisors(int64_t n) {
  at::Tensor j = torch::arange(n, torch::kDouble);
  return at::pow(at::Scalar(kTemperature), at::floor(j / 2) * 2.0 / static_cast<double>(n));
}

/// One axis of the sine map: [length, n], interleaved.
at::Tensor axis_position(int64_t length, int64_t n) {
  at::Tensor coordinate = torch::arange(1, length + 1, torch::kDouble) /
                          (static_cast<double>(length) + 1e-6) * (2.0 * std::numbers::pi);
  at::Tensor angle = coordinate.unsqueeze(1) / divisors(n).unsqueeze(0);
  const at::Tensor even = angle.slice(1, 0, n, 2).sin();
  const at::Tensor odd = angle.slice(1, 1, n, 2).cos();
  return at::stack({even, odd}, 2).flatten(1);
}

}  // namespace

at::Tensor sine_position(int64_t channels, int64_t height, int64_t width) {
  const int64_t n = channels / 2;
  const at::Tensor y = axis_position(height, n).t().unsqueeze(2).expand({n, height, width});
  const at::Tensor x = axis_position(width, n).t().unsqueeze(1).expand({n, height, width});
  return at::cat({y, x}, 0).to(torch::kFloat).contiguous();
}

at::Tensor sine_of_time(const at::Tensor& p, int64_t channels) {
  const at::Tensor angle =
      p.to(torch::kDouble).unsqueeze(1) / divisors(channels / 2).to(p.device()).unsqueeze(0);
  return at::cat({angle.sin(), angle.cos()}, 1).to(torch::kFloat);
}

RopeTable rope_table(int64_t dim, int64_t height, int64_t width, double theta) {
  const int64_t quarter = dim / 4;
  const at::Tensor p = torch::arange(quarter, torch::kDouble);
  const at::Tensor frequency =
      at::pow(at::Scalar(theta), p * (-4.0 / static_cast<double>(dim)));  // [quarter]
  const at::Tensor x = torch::arange(width, torch::kDouble).view({1, width, 1}) * frequency;
  const at::Tensor y = torch::arange(height, torch::kDouble).view({height, 1, 1}) * frequency;
  const at::Tensor angle =
      at::cat({x.expand({height, width, quarter}), y.expand({height, width, quarter})}, 2);
  const at::Tensor flat = angle.reshape({height * width, 2 * quarter});
  return {flat.cos().to(torch::kFloat), flat.sin().to(torch::kFloat)};
}

at::Tensor apply_rope(const at::Tensor& x, const RopeTable& table) {
  const at::Tensor pairs = x.unflatten(-1, {x.size(-1) / 2, 2});
  const at::Tensor a = pairs.select(-1, 0);
  const at::Tensor b = pairs.select(-1, 1);
  return at::stack({a * table.cos - b * table.sin, a * table.sin + b * table.cos}, -1).flatten(-2);
}

at::Tensor fourier_position(const at::Tensor& xy, const at::Tensor& matrix) {
  const at::Tensor angle = at::matmul(xy * 2.0 - 1.0, matrix) * (2.0 * std::numbers::pi);
  return at::cat({angle.sin(), angle.cos()}, -1);
}

}  // namespace voxloom::models::sam2
