#include "voxloom/filters/frangi.h"

#include <algorithm>
#include <cmath>
#include <mutex>

#include "voxloom/core/error.h"
#include "voxloom/core/parallel.h"
#include "voxloom/filters/hessian.h"
#include "voxloom/filters/hessian_rows.h"

namespace voxloom::filters {
namespace {

/// One grey level of 8 bits: an image with less structure is flat, and its rounding errors must not
/// be stretched into lines.
constexpr double kLowestC = 1.0 / 255;

/// Eigenvalues of rows [first, last) and the largest S^2 in the field.
VOXLOOM_FOR_EACH_ISA float structure_rows(const GaussianKernels<float>& kernels,
                                          const FrameView& view,
                                          int64_t first,
                                          int64_t last,
                                          float* l1,
                                          float* l2) {
  HessianRow<float> row(view.width, kernels.radius);
  std::vector<const float*> rows(static_cast<size_t>(2 * kernels.radius + 1));
  float highest = 0.0F;
  for (int64_t y = first; y < last; ++y) {
    hessian_of_row(kernels, view.pixels.data(), view.width, view.height, y, rows.data(), row);
    float* a = l1 + y * view.width;
    float* b = l2 + y * view.width;
    eigenvalues_of_row(row, view.width, a, b);
    // In lanes: a running maximum of one value would keep the loop from becoming vector code.
    float lanes[16] = {};
    const uint8_t* inside = view.field.empty() ? nullptr : view.field.data() + y * view.width;
    int64_t x = 0;
    for (; x + 16 <= view.width; x += 16) {
      for (int64_t i = 0; i < 16; ++i) {
        const float s = a[x + i] * a[x + i] + b[x + i] * b[x + i];
        const float counted = inside == nullptr || inside[x + i] != 0 ? s : 0.0F;
        lanes[i] = std::max(lanes[i], counted);
      }
    }
    for (; x < view.width; ++x) {
      if (inside == nullptr || inside[x] != 0) {
        lanes[0] = std::max(lanes[0], a[x] * a[x] + b[x] * b[x]);
      }
    }
    highest = std::max(highest, *std::max_element(lanes, lanes + 16));
  }
  return highest;
}

/// Raises out to the measure of one scale.
VOXLOOM_FOR_EACH_ISA void measure_pixels(const float* l1,
                                         const float* l2,
                                         int64_t first,
                                         int64_t last,
                                         float shape_scale,
                                         float structure_scale,
                                         float sign,
                                         float* out) {
  for (int64_t i = first; i < last; ++i) {
    const float a = l1[i] * l1[i], b = l2[i] * l2[i];
    const float shape = exp_below_zero(-shape_scale * a / std::max(b, 1e-20F));
    const float v = shape * (1.0F - exp_below_zero(-structure_scale * (a + b)));
    out[i] = std::max(out[i], sign * l2[i] > 0.0F ? v : 0.0F);
  }
}

void check(const infer::FrangiOptions& o) {
  VOXLOOM_CHECK(!o.sigmas.empty(),
                ErrorCode::kInvalidArgument,
                "frangi: must have at least one sigma, got none");
  for (const double sigma : o.sigmas) {
    VOXLOOM_CHECK(sigma >= 0.8 && sigma <= 20.0,
                  ErrorCode::kInvalidArgument,
                  "frangi: sigma must lie within [0.8, 20] px, got {}",
                  sigma);
  }
  VOXLOOM_CHECK(o.beta > 0.0 && o.c >= 0.0,
                ErrorCode::kInvalidArgument,
                "frangi: beta must be positive and c not negative, got {} and {}",
                o.beta,
                o.c);
}

}  // namespace

Frangi::Frangi(infer::FrangiOptions options) : options_(std::move(options)) {
  check(options_);
}

void Frangi::operator()(const FrameView& view, std::span<float> out) {
  check_output_size(view, out, "frangi");
  l1_.resize(view.size());
  l2_.resize(view.size());
  std::fill(out.begin(), out.end(), 0.0F);
  for (const double sigma : options_.sigmas) {
    const GaussianKernels<float> kernels(sigma);
    float highest = 0.0F;
    std::mutex mutex;
    parallel_for(0, view.height, 32, [&](int64_t first, int64_t last) {
      const float found = structure_rows(kernels, view, first, last, l1_.data(), l2_.data());
      const std::lock_guard lock(mutex);
      highest = std::max(highest, found);
    });
    const double c2 =
        options_.c > 0.0 ? options_.c * options_.c : std::max(0.25 * highest, kLowestC * kLowestC);
    const auto shape = static_cast<float>(0.5 / (options_.beta * options_.beta));
    const auto structure = static_cast<float>(0.5 / c2);
    parallel_for(0, static_cast<int64_t>(view.size()), 1 << 14, [&](int64_t first, int64_t last) {
      measure_pixels(l1_.data(),
                     l2_.data(),
                     first,
                     last,
                     shape,
                     structure,
                     options_.bright ? -1.0F : 1.0F,
                     out.data());
    });
  }
}

FrangiScale frangi_scale(std::span<const double> image,
                         int64_t width,
                         int64_t height,
                         double sigma,
                         const infer::FrangiOptions& options) {
  check(options);
  const auto found = hessian_eigenvalues(image, width, height, sigma);
  FrangiScale scale{std::vector<double>(image.size()), options.c};
  if (options.c <= 0.0) {
    for (size_t i = 0; i < image.size(); ++i) {
      scale.c = std::max(scale.c, 0.5 * std::hypot(found.l1[i], found.l2[i]));
    }
  }
  if (scale.c <= 0.0) return scale;
  for (size_t i = 0; i < image.size(); ++i) {
    const double a = found.l1[i], b = options.bright ? -found.l2[i] : found.l2[i];
    if (b <= 0.0) continue;
    const double shape = a * a / (b * b), structure = a * a + b * b;
    scale.v[i] = std::exp(-shape / (2.0 * options.beta * options.beta)) *
                 (1.0 - std::exp(-structure / (2.0 * scale.c * scale.c)));
  }
  return scale;
}

}  // namespace voxloom::filters
