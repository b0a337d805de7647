#pragma once

#include <array>
#include <vector>

#include "voxloom/core/options.h"
#include "voxloom/models/wire/detector_blocks.h"
#include "voxloom/models/wire/wire_network.h"

namespace voxloom::models::wire {

struct DetectorOptions {
  double width = 0.5;    ///< Of the channels 64, 128, ... 1024.
  double depth = 0.33;   ///< Of the blocks 3, 6, 9, 3 a stage.
  int64_t classes = 1;   ///< One: its score is not trained, the objectness says it all.
  int64_t frames = 3;    ///< Channels of the input: the frame, then the ones before it.
  bool previous = true;  ///< The heads see the previous frame's features too.

  void visit(OptionList& list);
  /// Throws kInvalidArgument.
  void validate() const;
  /// Channels where full width has `full`: a multiple of 8.
  [[nodiscard]] int64_t channels(int64_t full) const;
};

inline constexpr size_t kDetectorLevels = 3;
inline constexpr size_t kDetectorAnchors = 3;

/// One output level: px between its cells, and the boxes (width, height in px) that it scales.
struct DetectorLevel {
  int64_t stride = 8;
  std::array<std::array<double, 2>, kDetectorAnchors> anchors{};
  int64_t full_channels = 256;  ///< Of its features at width 1.
};
inline constexpr std::array<DetectorLevel, kDetectorLevels> kDetectorLevelList{{
    {8, {{{10, 13}, {16, 30}, {33, 23}}}, 256},
    {16, {{{30, 61}, {62, 45}, {59, 119}}}, 512},
    {32, {{{116, 90}, {156, 198}, {373, 326}}}, 1024},
}};

/// One tensor a level, finest first.
using DetectorMaps = std::array<at::Tensor, kDetectorLevels>;

/// Finds devices as boxes: a network of the size of YOLOv5s (cross stage backbone, pooled pyramid,
/// neck down and up again, three anchors at each of strides 8, 16 and 32), built from its published
/// facts: 7,022,326 parameters for one class and 7,235,389 for 80 without `previous`, whose three
/// 1x1 layers add 689,920.
///
/// features: x [B, frames, H, W], normalised, H and W multiples of 32 -> [B, C, H/s, W/s] a level.
/// detect: features of this frame and of the one before (at the start of a stream: the same) ->
/// raw outputs [B, 3 (5 + classes), H/s, W/s]: for each anchor x, y, width, height, objectness and
/// class scores, which infer/wire_boxes.h turns into boxes.
///
/// Keys: stem, down.<n>, stage.<n>, pyramid, narrow.<n>, top_down.<n>, neck_down.<n>,
/// bottom_up.<n>, join.<level>, head.<level>.
class Detector : public torch::nn::Module {
 public:
  explicit Detector(const DetectorOptions& options);

  [[nodiscard]] DetectorMaps features(const at::Tensor& x);
  [[nodiscard]] DetectorMaps detect(const DetectorMaps& current, const DetectorMaps& previous);
  /// A frame that nothing came before.
  [[nodiscard]] DetectorMaps forward(const at::Tensor& x);

  void initialise(at::Generator generator);
  [[nodiscard]] const DetectorOptions& options() const { return options_; }
  [[nodiscard]] static constexpr int64_t size_multiple() { return 32; }

 private:
  DetectorOptions options_;
  SiluUnit stem_{nullptr};
  std::vector<SiluUnit> down_, narrow_, neck_down_, join_;
  std::vector<CrossStage> stage_, top_down_, bottom_up_;
  PoolPyramid pyramid_{nullptr};
  std::vector<nn::Conv2d> head_;
};

inline constexpr const char* kDetectorName = "detector";
/// As the segmenting networks describe themselves.
[[nodiscard]] WireArchitecture detector_architecture();
/// A detector with start values from `seed`. Throws kInvalidArgument for unknown options.
[[nodiscard]] std::shared_ptr<Detector> make_detector(const nlohmann::ordered_json& options,
                                                      uint64_t seed);

}  // namespace voxloom::models::wire
