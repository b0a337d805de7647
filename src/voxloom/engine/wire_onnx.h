#pragma once

#include <cstdint>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "voxloom/engine/onnx_writer.h"
#include "voxloom/weights/state_dict.h"

namespace voxloom::engine {

/// The one image size of an exported wire network.
struct WireGraphSize {
  int64_t height = 512, width = 512;
};

/// A wire network (models/wire/wire_network.h) for inference on single frames: batch norms folded
/// into the convolutions, all shapes fixed, no deep supervision heads.
///
/// Input "image" [1, C, H, W] float32, normalised as in training; outputs "logits" [1, 1, H, W] and
/// "probability", their sigmoid. Throws kInvalidArgument for an unknown architecture, wrong options
/// or a size that the network does not take, kDataCorrupt naming all keys of `state` that are
/// missing, unexpected or of another shape.
[[nodiscard]] OnnxGraph wire_graph(const std::string& architecture,
                                   const nlohmann::ordered_json& options,
                                   const weights::StateDict& state,
                                   const WireGraphSize& size);

/// The detector (models/wire/detector.h). Input "image" [1, frames, H, W]; with the option
/// `previous` also "previous_8", "previous_16" and "previous_32": what "features_8", ... gave for
/// the frame before. Outputs "map_8", "map_16", "map_32" (raw, [1, 3 (5 + classes), H/s, W/s]) and
/// those features. At the start of a stream run it twice: any features, then its own. Throws as
/// wire_graph() does.
[[nodiscard]] OnnxGraph detector_graph(const nlohmann::ordered_json& options,
                                       const weights::StateDict& state,
                                       const WireGraphSize& size);
inline constexpr const char* kDetectorMapNames[] = {"map_8", "map_16", "map_32"};
inline constexpr const char* kDetectorFeatureNames[] = {"features_8", "features_16", "features_32"};
inline constexpr const char* kDetectorPreviousNames[] = {
    "previous_8", "previous_16", "previous_32"};

/// Whether a wire network may run in bf16. OpenVINO would compute HessianNet's second
/// derivatives and FGA-Net's sampling places in bf16 too, and 8 bits are too few for either.
[[nodiscard]] bool wire_takes_bf16(const std::string& architecture);

inline constexpr const char* kWireInput = "image";
inline constexpr const char* kWireLogits = "logits";
inline constexpr const char* kWireProbability = "probability";

}  // namespace voxloom::engine
