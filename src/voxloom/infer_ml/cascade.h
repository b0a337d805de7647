#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "voxloom/infer/cascade_options.h"
#include "voxloom/infer/wire_segmenter.h"
#include "voxloom/infer_ml/wire_network.h"
#include "voxloom/weights/package.h"

namespace voxloom::infer_ml {

/// The architecture of a package that holds a detector and a segmenter for its boxes. model.yaml:
///
///     architecture: cascade
///     options:
///       detector: {...}           # options of the detector
///       segmenter: hessian-net
///       segmenter_options: {...}
///       rules: {...}              # CascadeRules
///
/// Keys of the weights: detector.<key>, segmenter.<key>.
inline constexpr const char* kCascadeName = "cascade";

/// Joins two packages into one that `wire predict`, `eval` and `track` take; threshold, classes and
/// polarity are the segmenter's. Throws kInvalidArgument for packages of another kind or polarity,
/// kDataCorrupt for weights that don't fit, kAlreadyExists.
weights::Package make_cascade_package(const infer::CascadeOptions& options);

/// A cascade on frames: detector, boxes followed over frames, crops, segmenter, pasted back.
/// Outside the crops the probability is 0.
[[nodiscard]] std::unique_ptr<infer::WireSegmenter> make_cascade_segmenter(
    const weights::Package& package,
    const infer::RuntimeOptions& runtime,
    infer::TestAugmentation augmentation);

/// The second half: probability [height, width] of pixels [height, width] in [0, 1], objects dark,
/// inside `boxes`; 0 elsewhere.
void crop_probability(const std::function<at::Tensor(const at::Tensor&)>& logits_of,
                      int64_t size_multiple,
                      std::span<const float> pixels,
                      int64_t width,
                      int64_t height,
                      const std::vector<infer::WireBox>& boxes,
                      const infer::CropRule& rule,
                      infer::TestAugmentation augmentation,
                      std::vector<float>& probability);

}  // namespace voxloom::infer_ml
