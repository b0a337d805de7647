#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "voxloom/engine/engine_options.h"
#include "voxloom/engine/openvino_network.h"
#include "voxloom/infer/segmenter.h"
#include "voxloom/models/sam_med2d/sam_med2d.h"
#include "voxloom/weights/package.h"

namespace voxloom::infer_ml {

/// A loaded SAM-Med2D: the image encoder in libtorch or OpenVINO, the decoder (a few
/// milliseconds) in libtorch.
class SamMed2dNetwork {
 public:
  /// Throws kUnsupported for devices other than the CPU, kDataCorrupt where options and weights
  /// don't fit each other.
  SamMed2dNetwork(const weights::Package& package,
                  const infer::RuntimeOptions& runtime,
                  const engine::FileCache& cache = engine::FileCache());

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::string& variant() const { return variant_; }
  [[nodiscard]] const engine::EngineOptions& engine() const { return engine_; }
  [[nodiscard]] const models::sam_med2d::SamMed2dOptions& options() const {
    return model_->options;
  }

  /// image [1, 3, S, S] -> [1, C, g, g]. One call at a time.
  [[nodiscard]] at::Tensor encode(const at::Tensor& image);
  /// See SamMed2dImpl::decode().
  [[nodiscard]] models::sam_med2d::DecodedMasks decode(
      const at::Tensor& embedding,
      const models::sam_med2d::PromptTokens& points,
      const at::Tensor& mask);

 private:
  std::string name_, variant_;
  engine::EngineOptions engine_;
  models::sam_med2d::SamMed2d model_{nullptr};
  std::optional<engine::OpenvinoNetwork> encoder_;
};

/// A grey picture [height, width] as the network's input [1, 3, S, S]: three equal channels,
/// normalised with SAM's mean and deviation, each pixel the one at floor(i * size / S) (OpenCV's
/// nearest, which the authors train and test with); the shape is not kept.
[[nodiscard]] at::Tensor sam_med2d_input(std::span<const uint8_t> grey,
                                         int64_t width,
                                         int64_t height,
                                         int64_t image_size);

/// What a person said about one object on one slice, in pixels of the slice.
struct SlicePrompt {
  struct Click {
    float x = 0, y = 0;
    bool positive = true;
    bool operator==(const Click&) const = default;
  };
  std::vector<std::array<float, 4>> boxes;  ///< x0, y0, x1, y1.
  std::vector<Click> clicks;                ///< In the order in which they were made.
  std::vector<uint8_t> mask;                ///< [height, width]; empty: none.

  /// Whether anything says where the object is.
  [[nodiscard]] bool selects() const;
  bool operator==(const SlicePrompt&) const = default;
};

/// Clicks on one slice of one object at most.
inline constexpr size_t kMaxSliceClicks = 64;

/// Mask logits [1, 1, 4g, 4g] that the network answers, made the way it was trained: the first
/// positive click (with the negative ones before it), box or mask alone, then click by click, each
/// time with all clicks so far and the last answer's probabilities. Of the three competing masks
/// the one with the highest predicted overlap. Several boxes: the union of their answers.
[[nodiscard]] at::Tensor segment_slice(SamMed2dNetwork& network,
                                       const at::Tensor& embedding,
                                       const SlicePrompt& prompt,
                                       int64_t width,
                                       int64_t height);

/// The segmenter of a package: every slice that has a prompt is segmented by itself, a box with
/// depth on each of its slices. Nothing is carried from slice to slice.
[[nodiscard]] std::unique_ptr<infer::Segmenter> make_sam_med2d_segmenter(
    const weights::Package& package, const infer::RuntimeOptions& runtime);

}  // namespace voxloom::infer_ml
