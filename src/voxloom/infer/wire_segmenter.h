#pragma once

#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "voxloom/image/frame.h"
#include "voxloom/infer/segmenter.h"

namespace voxloom::infer {

/// What a package of the task `wire` says about itself.
struct WireModelInfo {
  std::string name;          ///< The package's.
  std::string architecture;  ///< "light-unet", ...
  std::string engine, precision;
  std::vector<std::string> classes;  ///< What it was trained to find: "guidewire", ...
  double threshold = 0.5;            ///< Chosen on validation data when the package was made.
  bool bright_object = false;        ///< Trained on objects brighter than their surroundings.
};

/// How often a frame is looked at.
enum class TestAugmentation {
  kNone,    ///< Once: live video.
  kMirror,  ///< Four times, mirrored along x and y; probabilities are averaged.
  kAll,     ///< Eight times, with quarter turns too.
};

/// A network that finds thin devices in X-ray frames. Not thread-safe.
class WireSegmenter {
 public:
  virtual ~WireSegmenter() = default;
  [[nodiscard]] virtual const WireModelInfo& info() const = 0;
  /// Forgets earlier frames: call at the start of a stream. Networks that look at one frame at a
  /// time do nothing here.
  virtual void reset() {}
  /// Probability that a pixel belongs to the device. probability: [height, width], resized by this
  /// call. Frames of a stream come in order. Throws kInvalidArgument for an empty frame.
  virtual void segment(const image::Frame& frame, std::vector<float>& probability) = 0;
};

/// `model`: name or folder of a package of the task `wire`; opens the ML library. Throws kNotFound,
/// kDataCorrupt, kInvalidArgument for a package of another task.
[[nodiscard]] std::unique_ptr<WireSegmenter> make_wire_segmenter(const std::string& model,
                                                                 const RuntimeOptions& runtime,
                                                                 TestAugmentation augmentation);

}  // namespace voxloom::infer
