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

/// Whether a wire network may run in bf16. OpenVINO would compute HessianNet's second
/// derivatives and FGA-Net's sampling places in bf16 too, and 8 bits are too few for either.
[[nodiscard]] bool wire_takes_bf16(const std::string& architecture);

inline constexpr const char* kWireInput = "image";
inline constexpr const char* kWireLogits = "logits";
inline constexpr const char* kWireProbability = "probability";

}  // namespace voxloom::engine
