#pragma once

#include <string>

#include "voxloom/engine/onnx_folding.h"

namespace voxloom::engine {

/// models::wire::ConvUnit and ResidualBlock below `key`, with their norms folded in. A slope of 0
/// is a plain ReLU.
[[nodiscard]] OnnxValue conv_unit_graph(OnnxFolding& layers,
                                        const OnnxValue& x,
                                        const std::string& key,
                                        double slope,
                                        int64_t stride = 1);
[[nodiscard]] OnnxValue residual_block_graph(OnnxFolding& layers,
                                             const OnnxValue& x,
                                             const std::string& key,
                                             double slope);
[[nodiscard]] OnnxValue activated_graph(OnnxGraph& graph, const OnnxValue& x, double slope);

}  // namespace voxloom::engine
