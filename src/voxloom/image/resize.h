#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace voxloom::image {

/// Bicubic resizing of one grey slice, bit for bit as Pillow's `Image.resize((w, h))` does it for
/// 8-bit images: antialiased (the kernel widens when the image shrinks), along x first, rounded to
/// uint8 between the two passes, 22-bit fixed-point weights. The preprocessing of SAM 2 and MedSAM2
/// depends on these exact bits. Equal channels of an RGB image give the same values.
///
/// Pillow 13 runs along y first where an image gets wider and less high, which rounds differently
/// there; here the order stays that of every version up to 12.
///
/// Weights are computed once; operator() is const and may be called by several threads.
class PillowBicubic {
 public:
  /// Throws kInvalidArgument unless all four sizes lie within [1, 65536].
  PillowBicubic(int64_t in_width, int64_t in_height, int64_t out_width, int64_t out_height);

  /// in [in_height, in_width] -> out [out_height, out_width]. Throws kInvalidArgument for spans of
  /// another length.
  void operator()(std::span<const uint8_t> in, std::span<uint8_t> out) const;
  [[nodiscard]] std::vector<uint8_t> operator()(std::span<const uint8_t> in) const;

  /// One axis: output i is the sum of weights[i * taps + k] * input[first[i] + k], k < count[i].
  struct Axis {
    int64_t in = 0, out = 0, taps = 0;
    std::vector<int32_t> first, count, weights;
  };

 private:
  Axis x_, y_;
};

/// One-off use of PillowBicubic.
[[nodiscard]] std::vector<uint8_t> resize_bicubic(std::span<const uint8_t> in,
                                                  int64_t in_width,
                                                  int64_t in_height,
                                                  int64_t out_width,
                                                  int64_t out_height);

/// Bilinear, as torch's `interpolate(mode="bilinear", align_corners=False)`: pixel centres are
/// aligned, no antialiasing, the border is repeated. For logits and soft masks.
/// in [in_height, in_width] -> [out_height, out_width].
[[nodiscard]] std::vector<float> resize_bilinear(std::span<const float> in,
                                                 int64_t in_width,
                                                 int64_t in_height,
                                                 int64_t out_width,
                                                 int64_t out_height);

/// Bilinear with antialias, as torch's `interpolate(..., antialias=True)`: triangle weights whose
/// support widens when the image shrinks. For mask prompts.
[[nodiscard]] std::vector<float> resize_bilinear_antialias(std::span<const float> in,
                                                           int64_t in_width,
                                                           int64_t in_height,
                                                           int64_t out_width,
                                                           int64_t out_height);

/// The nearest pixel centre, as torch's "nearest-exact" and Pillow's NEAREST; never mixes values,
/// so it is the one for label maps. Exact integer arithmetic: a centre between two pixels takes the
/// later one.
[[nodiscard]] std::vector<uint8_t> resize_nearest(std::span<const uint8_t> in,
                                                  int64_t in_width,
                                                  int64_t in_height,
                                                  int64_t out_width,
                                                  int64_t out_height);
[[nodiscard]] std::vector<uint16_t> resize_nearest(std::span<const uint16_t> in,
                                                   int64_t in_width,
                                                   int64_t in_height,
                                                   int64_t out_width,
                                                   int64_t out_height);

}  // namespace voxloom::image
