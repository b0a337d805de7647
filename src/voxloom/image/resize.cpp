#include "voxloom/image/resize.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "voxloom/core/error.h"

namespace voxloom::image {
namespace {

constexpr int kWeightBits = 32 - 8 - 2;  // 8 for the pixel, 2 of headroom for negative lobes.
constexpr int32_t kHalf = 1 << (kWeightBits - 1);
constexpr int64_t kStrip = 32;  // Rows that the pass along x handles side by side.

void check_sizes(int64_t in_width, int64_t in_height, int64_t out_width, int64_t out_height) {
  for (const int64_t n : {in_width, in_height, out_width, out_height}) {
    VOXLOOM_CHECK(n >= 1 && n <= 65536,
                  ErrorCode::kInvalidArgument,
                  "resize: sizes must lie within [1, 65536], got {}x{} to {}x{}",
                  in_width,
                  in_height,
                  out_width,
                  out_height);
  }
}

void check_length(const char* what, size_t length, int64_t width, int64_t height) {
  VOXLOOM_CHECK(length == static_cast<size_t>(width * height),
                ErrorCode::kInvalidArgument,
                "resize: {} must hold {}x{} pixels, got {}",
                what,
                width,
                height,
                length);
}

// Keys' cubic convolution kernel with a = -0.5 (IEEE Trans. ASSP 29, 1981).
double cubic(double x) {
  constexpr double kA = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((kA + 2.0) * x - (kA + 3.0)) * x * x + 1.0;
  if (x < 2.0) return (((x - 5.0) * x + 8.0) * x - 4.0) * kA;
  return 0.0;
}

double triangle(double x) {
  return std::max(0.0, 1.0 - std::abs(x));
}

/// Real-valued weights of one axis for a kernel of radius `radius` (in output pixels when the
/// image shrinks, else in input pixels).
struct RealAxis {
  int64_t taps = 0;
  std::vector<int32_t> first, count;
  std::vector<double> weights;
};

template <class Kernel>
RealAxis make_weights(int64_t in, int64_t out, double radius, Kernel kernel) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double widen = std::max(scale, 1.0);
  const double support = radius * widen;
  const double shrink = 1.0 / widen;
  RealAxis axis;
  axis.taps = static_cast<int64_t>(std::ceil(support)) * 2 + 1;
  axis.first.resize(static_cast<size_t>(out));
  axis.count.resize(static_cast<size_t>(out));
  axis.weights.assign(static_cast<size_t>(out * axis.taps), 0.0);
  for (int64_t o = 0; o < out; ++o) {
    const double centre = (static_cast<double>(o) + 0.5) * scale;
    // The casts truncate on purpose: towards zero, also below zero.
    // NOLINTBEGIN(bugprone-incorrect-roundings)
    const int64_t lo = std::max<int64_t>(0, static_cast<int64_t>(centre - support + 0.5));
    const int64_t hi = std::min<int64_t>(in, static_cast<int64_t>(centre + support + 0.5));
    // NOLINTEND(bugprone-incorrect-roundings)
    double* const w = axis.weights.data() + o * axis.taps;
    double sum = 0.0;
    for (int64_t i = lo; i < hi; ++i) {
      w[i - lo] = kernel((static_cast<double>(i) - centre + 0.5) * shrink);
      sum += w[i - lo];
    }
    for (int64_t i = lo; i < hi; ++i) {
      if (sum != 0.0) w[i - lo] /= sum;
    }
    axis.first[static_cast<size_t>(o)] = static_cast<int32_t>(lo);
    axis.count[static_cast<size_t>(o)] = static_cast<int32_t>(hi - lo);
  }
  return axis;
}

PillowBicubic::Axis make_fixed_axis(int64_t in, int64_t out) {
  const RealAxis real = make_weights(in, out, 2.0, cubic);
  PillowBicubic::Axis axis{in, out, real.taps, real.first, real.count, {}};
  axis.weights.reserve(real.weights.size());
  for (const double w : real.weights) {
    const double scaled = w * static_cast<double>(1 << kWeightBits);
    axis.weights.push_back(static_cast<int32_t>(scaled + (w < 0 ? -0.5 : 0.5)));
  }
  return axis;
}

// lines [count] of `width` pixels, `stride` apart: out[i] = clip(round(sum of weights * lines)).
// Plain loops; compiled twice so that machines with AVX2 use its 32-bit products.
[[gnu::always_inline]] inline void mix_lines_body(const uint8_t* lines,
                                                  int64_t stride,
                                                  const int32_t* weights,
                                                  int64_t count,
                                                  int64_t width,
                                                  uint8_t* out) {
  constexpr int64_t kBlock = 32;
  int64_t x = 0;
  for (; x + kBlock <= width; x += kBlock) {
    int32_t sum[kBlock];
    for (int64_t i = 0; i < kBlock; ++i) sum[i] = kHalf;
    for (int64_t k = 0; k < count; ++k) {
      const uint8_t* const line = lines + k * stride + x;
      const int32_t w = weights[k];
      for (int64_t i = 0; i < kBlock; ++i) sum[i] += w * line[i];
    }
    for (int64_t i = 0; i < kBlock; ++i) {
      out[x + i] = static_cast<uint8_t>(std::clamp(sum[i] >> kWeightBits, 0, 255));
    }
  }
  for (; x < width; ++x) {
    int32_t sum = kHalf;
    for (int64_t k = 0; k < count; ++k) sum += weights[k] * lines[k * stride + x];
    out[x] = static_cast<uint8_t>(std::clamp(sum >> kWeightBits, 0, 255));
  }
}

using MixLines = void (*)(const uint8_t*, int64_t, const int32_t*, int64_t, int64_t, uint8_t*);

void mix_lines_plain(const uint8_t* lines,
                     int64_t stride,
                     const int32_t* weights,
                     int64_t count,
                     int64_t width,
                     uint8_t* out) {
  mix_lines_body(lines, stride, weights, count, width, out);
}

#if defined(__x86_64__)
[[gnu::target("avx2")]] void mix_lines_avx2(const uint8_t* lines,
                                            int64_t stride,
                                            const int32_t* weights,
                                            int64_t count,
                                            int64_t width,
                                            uint8_t* out) {
  mix_lines_body(lines, stride, weights, count, width, out);
}
#endif

MixLines pick_mix_lines() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return mix_lines_avx2;
#endif
  return mix_lines_plain;
}

// Along x, for strips of rows turned on their side: then a pixel column is one line of `kStrip`
// pixels and the same kernel as for the pass along y does the work.
void pass_x(const PillowBicubic::Axis& axis, int64_t rows, const uint8_t* in, uint8_t* out) {
  const MixLines mix = pick_mix_lines();
  std::vector<uint8_t> turned(static_cast<size_t>(axis.in * kStrip));
  std::vector<uint8_t> mixed(static_cast<size_t>(axis.out * kStrip));
  for (int64_t y0 = 0; y0 < rows; y0 += kStrip) {
    const int64_t n = std::min(kStrip, rows - y0);
    for (int64_t r = 0; r < n; ++r) {
      const uint8_t* const row = in + (y0 + r) * axis.in;
      for (int64_t x = 0; x < axis.in; ++x) turned[static_cast<size_t>(x * kStrip + r)] = row[x];
    }
    for (int64_t o = 0; o < axis.out; ++o) {
      const auto i = static_cast<size_t>(o);
      mix(turned.data() + axis.first[i] * kStrip,
          kStrip,
          axis.weights.data() + o * axis.taps,
          axis.count[i],
          kStrip,
          mixed.data() + o * kStrip);
    }
    for (int64_t r = 0; r < n; ++r) {
      uint8_t* const row = out + (y0 + r) * axis.out;
      for (int64_t x = 0; x < axis.out; ++x) row[x] = mixed[static_cast<size_t>(x * kStrip + r)];
    }
  }
}

void pass_y(const PillowBicubic::Axis& axis, int64_t width, const uint8_t* in, uint8_t* out) {
  const MixLines mix = pick_mix_lines();
  for (int64_t o = 0; o < axis.out; ++o) {
    const auto i = static_cast<size_t>(o);
    mix(in + axis.first[i] * width,
        width,
        axis.weights.data() + o * axis.taps,
        axis.count[i],
        width,
        out + o * width);
  }
}

// Separable float resampling with the given weights, along x then along y.
std::vector<float> resample(std::span<const float> in,
                            int64_t in_width,
                            int64_t in_height,
                            const RealAxis& ax,
                            const RealAxis& ay) {
  const auto out_width = static_cast<int64_t>(ax.first.size());
  const auto out_height = static_cast<int64_t>(ay.first.size());
  std::vector<float> wide(static_cast<size_t>(in_height * out_width));
  for (int64_t y = 0; y < in_height; ++y) {
    for (int64_t o = 0; o < out_width; ++o) {
      const auto i = static_cast<size_t>(o);
      const float* const row = in.data() + y * in_width + ax.first[i];
      float sum = 0.0F;
      for (int64_t k = 0; k < ax.count[i]; ++k) {
        sum += static_cast<float>(ax.weights[static_cast<size_t>(o * ax.taps + k)]) * row[k];
      }
      wide[static_cast<size_t>(y * out_width + o)] = sum;
    }
  }
  std::vector<float> out(static_cast<size_t>(out_height * out_width), 0.0F);
  for (int64_t o = 0; o < out_height; ++o) {
    const auto i = static_cast<size_t>(o);
    float* const target = out.data() + o * out_width;
    for (int64_t k = 0; k < ay.count[i]; ++k) {
      const auto w = static_cast<float>(ay.weights[static_cast<size_t>(o * ay.taps + k)]);
      const float* const row = wide.data() + (ay.first[i] + k) * out_width;
      for (int64_t x = 0; x < out_width; ++x) target[x] += w * row[x];
    }
  }
  return out;
}

// Two taps at the source position, computed in float as torch does.
RealAxis bilinear_axis(int64_t in, int64_t out) {
  const float scale = static_cast<float>(in) / static_cast<float>(out);
  RealAxis axis;
  axis.taps = 2;
  for (int64_t o = 0; o < out; ++o) {
    const float at = std::max(0.0F, scale * (static_cast<float>(o) + 0.5F) - 0.5F);
    const int64_t i0 = std::min(static_cast<int64_t>(at), in - 1);
    const bool inside = i0 + 1 < in;
    const float t = std::clamp(at - static_cast<float>(i0), 0.0F, 1.0F);
    axis.first.push_back(static_cast<int32_t>(i0));
    axis.count.push_back(inside ? 2 : 1);
    axis.weights.push_back(inside ? static_cast<double>(1.0F - t) : 1.0);
    axis.weights.push_back(inside ? static_cast<double>(t) : 0.0);
  }
  return axis;
}

template <class T>
std::vector<T> nearest(std::span<const T> in,
                       int64_t in_width,
                       int64_t in_height,
                       int64_t out_width,
                       int64_t out_height) {
  check_sizes(in_width, in_height, out_width, out_height);
  check_length("input", in.size(), in_width, in_height);
  std::vector<int64_t> columns(static_cast<size_t>(out_width));
  for (int64_t x = 0; x < out_width; ++x) {
    columns[static_cast<size_t>(x)] = (2 * x + 1) * in_width / (2 * out_width);
  }
  std::vector<T> out;
  out.reserve(static_cast<size_t>(out_width * out_height));
  for (int64_t y = 0; y < out_height; ++y) {
    const T* const row = in.data() + (2 * y + 1) * in_height / (2 * out_height) * in_width;
    for (const int64_t x : columns) out.push_back(row[x]);
  }
  return out;
}

}  // namespace

PillowBicubic::PillowBicubic(int64_t in_width,
                             int64_t in_height,
                             int64_t out_width,
                             int64_t out_height) {
  check_sizes(in_width, in_height, out_width, out_height);
  x_ = make_fixed_axis(in_width, out_width);
  y_ = make_fixed_axis(in_height, out_height);
}

void PillowBicubic::operator()(std::span<const uint8_t> in, std::span<uint8_t> out) const {
  check_length("input", in.size(), x_.in, y_.in);
  check_length("output", out.size(), x_.out, y_.out);
  // An axis whose size stays is left alone, as in Pillow.
  if (x_.in == x_.out && y_.in == y_.out) {
    std::copy(in.begin(), in.end(), out.begin());
  } else if (y_.in == y_.out) {
    pass_x(x_, y_.in, in.data(), out.data());
  } else if (x_.in == x_.out) {
    pass_y(y_, x_.out, in.data(), out.data());
  } else {
    std::vector<uint8_t> wide(static_cast<size_t>(x_.out * y_.in));
    pass_x(x_, y_.in, in.data(), wide.data());
    pass_y(y_, x_.out, wide.data(), out.data());
  }
}

std::vector<uint8_t> PillowBicubic::operator()(std::span<const uint8_t> in) const {
  std::vector<uint8_t> out(static_cast<size_t>(x_.out * y_.out));
  (*this)(in, out);
  return out;
}

std::vector<uint8_t> resize_bicubic(std::span<const uint8_t> in,
                                    int64_t in_width,
                                    int64_t in_height,
                                    int64_t out_width,
                                    int64_t out_height) {
  return PillowBicubic(in_width, in_height, out_width, out_height)(in);
}

std::vector<float> resize_bilinear(std::span<const float> in,
                                   int64_t in_width,
                                   int64_t in_height,
                                   int64_t out_width,
                                   int64_t out_height) {
  check_sizes(in_width, in_height, out_width, out_height);
  check_length("input", in.size(), in_width, in_height);
  return resample(in,
                  in_width,
                  in_height,
                  bilinear_axis(in_width, out_width),
                  bilinear_axis(in_height, out_height));
}

std::vector<float> resize_bilinear_antialias(std::span<const float> in,
                                             int64_t in_width,
                                             int64_t in_height,
                                             int64_t out_width,
                                             int64_t out_height) {
  check_sizes(in_width, in_height, out_width, out_height);
  check_length("input", in.size(), in_width, in_height);
  return resample(in,
                  in_width,
                  in_height,
                  make_weights(in_width, out_width, 1.0, triangle),
                  make_weights(in_height, out_height, 1.0, triangle));
}

std::vector<uint8_t> resize_nearest(std::span<const uint8_t> in,
                                    int64_t in_width,
                                    int64_t in_height,
                                    int64_t out_width,
                                    int64_t out_height) {
  return nearest(in, in_width, in_height, out_width, out_height);
}

std::vector<uint16_t> resize_nearest(std::span<const uint16_t> in,
                                     int64_t in_width,
                                     int64_t in_height,
                                     int64_t out_width,
                                     int64_t out_height) {
  return nearest(in, in_width, in_height, out_width, out_height);
}

}  // namespace voxloom::image
