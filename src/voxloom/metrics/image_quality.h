#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace voxloom::metrics {

/// Measures of how an X-ray frame, or a filter's result, shows a thin object. A filter is chosen by
/// what a network then finds, not by these: contrast to noise can rise while the object gets harder
/// to find.
///
/// image [height, width], black 0 ... white 1. object: the true pixels; exclude: pixels that are
/// neither object nor background (other devices), may be empty. All functions throw
/// kInvalidArgument for wrong lengths.

/// Background is the ring of pixels 3 to 10 px (centre to centre, both ends included) from the
/// nearest object pixel, without excluded ones.
struct RingContrast {
  double object_mean = 0.0, background_mean = 0.0;
  double background_std = 0.0;  ///< Divides by the count. This is the sigma of CNR.
  int64_t object_pixels = 0, background_pixels = 0;

  /// |object mean - background mean| / background std; absent for a std of 0.
  [[nodiscard]] std::optional<double> cnr() const;
  /// |f - b| / (f + b) (Michelson); absent unless f + b is positive.
  [[nodiscard]] std::optional<double> michelson() const;
};

/// Absent when there is no object or no background pixel.
[[nodiscard]] std::optional<RingContrast> ring_contrast(std::span<const float> image,
                                                        int64_t width,
                                                        int64_t height,
                                                        std::span<const uint8_t> object,
                                                        std::span<const uint8_t> exclude = {});

/// Contrast improvement index: Michelson contrast of the processed image over that of the original.
/// Absent when one of the two is absent or the original's is 0.
[[nodiscard]] std::optional<double> contrast_improvement_index(
    std::span<const float> original,
    std::span<const float> processed,
    int64_t width,
    int64_t height,
    std::span<const uint8_t> object,
    std::span<const uint8_t> exclude = {});

/// Contrast improvement ratio over a region D: sum (w - v)^2 / sum w^2 with w the local contrast of
/// the original and v that of the processed image. Local contrast is |p - a| / |p + a|, p the mean
/// of the 3x3 pixels around, a the mean of the other 40 of the 7x7; 0 where p + a is 0. Pixels less
/// than 3 px from the border are left out. region: D; empty means the whole image. Absent when
/// every w is 0.
[[nodiscard]] std::optional<double> contrast_improvement_ratio(
    std::span<const float> original,
    std::span<const float> processed,
    int64_t width,
    int64_t height,
    std::span<const uint8_t> region = {});

/// EME (Agaian et al., IEEE Trans. Image Processing 16, 2007): the image is cut into `blocks` x
/// `blocks` parts (edges at whole pixels, part k from floor(k n / blocks)), and 20 log10((max + 1)
/// / (min + 1)) of grey values 0 ... 255 (not rounded, clipped) is averaged over them. Throws
/// kInvalidArgument for more blocks than pixels on a side.
[[nodiscard]] double enhancement_measure(std::span<const float> image,
                                         int64_t width,
                                         int64_t height,
                                         int64_t blocks = 8);

/// Shannon entropy, in bits, of the grey values rounded to 0 ... 255.
[[nodiscard]] double grey_entropy(std::span<const float> image);

/// Standard deviation of the noise, on the image's own scale: 1.4826 times the median of
/// |image * [1 -2 1; -2 4 -2; 1 -2 1]| over 6, border pixels left out (the mask of Immerkaer,
/// Computer Vision and Image Understanding 64, 1996, with the median in place of the mean).
/// Throws kInvalidArgument for an image below 3x3.
[[nodiscard]] double noise_std(std::span<const float> image, int64_t width, int64_t height);

}  // namespace voxloom::metrics
