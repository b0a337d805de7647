#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "voxloom/engine/engine_options.h"
#include "voxloom/engine/openvino_network.h"
#include "voxloom/infer/segmenter.h"

namespace voxloom::infer_ml {

/// A network for inputs [1, C, H, W] of any size.
struct SizedNetworkSource {
  std::string name;  ///< "wire": begins the names of cached files.
  std::string key;   ///< Text that stands for weights and graph; the size is added.
  std::vector<std::string> inputs, outputs;  ///< Names in the graph, in order.
  std::function<engine::OnnxGraph(int64_t height, int64_t width)> graph;
  /// The same in libtorch.
  std::function<std::vector<at::Tensor>(const std::vector<at::Tensor>&)> forward;
};

/// Runs it in libtorch, or in OpenVINO, compiled once for every size that comes (the first
/// input's). One call at a time, inside InferenceMode. Outputs are float32.
class SizedNetwork {
 public:
  SizedNetwork(SizedNetworkSource source, const engine::EngineOptions& options);

  [[nodiscard]] std::vector<at::Tensor> run(const std::vector<at::Tensor>& inputs);
  [[nodiscard]] const engine::EngineOptions& options() const { return options_; }

 private:
  engine::OpenvinoNetwork& compiled(int64_t height, int64_t width);

  SizedNetworkSource source_;
  engine::EngineOptions options_;
  std::map<std::pair<int64_t, int64_t>, std::unique_ptr<engine::OpenvinoNetwork>> compiled_;
};

/// What engine::resolve() makes of `runtime`, threads of libtorch set with it. Throws kUnsupported
/// for another device than the cpu.
[[nodiscard]] engine::EngineOptions resolve_runtime(const infer::RuntimeOptions& runtime,
                                                    bool bf16_gate_passed);

}  // namespace voxloom::infer_ml
