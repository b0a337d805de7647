#pragma once

#include <nlohmann/json_fwd.hpp>

#include "voxloom/engine/onnx_folding.h"

namespace voxloom::engine {

// The bodies of the exported wire networks, one for each architecture of models/wire/registry.cpp:
// from the input [1, C, H, W] to the logits [1, 1, H, W]. `options` are complete.

[[nodiscard]] OnnxValue light_unet_graph(OnnxFolding& layers,
                                         const OnnxValue& image,
                                         const nlohmann::ordered_json& options);
[[nodiscard]] OnnxValue hessian_net_graph(OnnxFolding& layers,
                                          const OnnxValue& image,
                                          const nlohmann::ordered_json& options);
[[nodiscard]] OnnxValue fga_net_graph(OnnxFolding& layers,
                                      const OnnxValue& image,
                                      const nlohmann::ordered_json& options);
[[nodiscard]] OnnxValue temporal_unet_graph(OnnxFolding& layers,
                                            const OnnxValue& image,
                                            const nlohmann::ordered_json& options);

}  // namespace voxloom::engine
