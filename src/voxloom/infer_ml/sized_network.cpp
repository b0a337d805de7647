#include "voxloom/infer_ml/sized_network.h"

#include <ATen/Parallel.h>

#include "voxloom/core/error.h"
#include "voxloom/core/parallel.h"
#include "voxloom/tensor/autocast.h"

namespace voxloom::infer_ml {

SizedNetwork::SizedNetwork(SizedNetworkSource source, const engine::EngineOptions& options)
    : source_(std::move(source)), options_(options) {}

std::vector<at::Tensor> SizedNetwork::run(const std::vector<at::Tensor>& inputs) {
  std::vector<at::Tensor> outputs;
  if (options_.engine == engine::EngineKind::kOpenvino) {
    std::vector<std::pair<std::string, at::Tensor>> named;
    for (size_t i = 0; i < inputs.size(); ++i) {
      named.emplace_back(source_.inputs[i], inputs[i].contiguous());
    }
    auto results = compiled(inputs.front().size(2), inputs.front().size(3)).run(named);
    for (auto& result : results) outputs.push_back(std::move(result.second));
    return outputs;
  }
  if (options_.precision == engine::Precision::kBf16) {
    const tensor::Autocast autocast;
    outputs = source_.forward(inputs);
  } else {
    outputs = source_.forward(inputs);
  }
  for (at::Tensor& output : outputs) output = output.to(at::kFloat);
  return outputs;
}

engine::OpenvinoNetwork& SizedNetwork::compiled(int64_t height, int64_t width) {
  auto& slot = compiled_[{height, width}];
  if (!slot) {
    const engine::OpenvinoSource source{.name = source_.name,
                                        .key = format("{}|{}x{}", source_.key, height, width),
                                        .outputs = source_.outputs,
                                        .graph = [&] { return source_.graph(height, width); },
                                        .folder = {}};
    slot = std::make_unique<engine::OpenvinoNetwork>(source, options_.precision, options_.threads);
  }
  return *slot;
}

engine::EngineOptions resolve_runtime(const infer::RuntimeOptions& runtime, bool bf16_gate_passed) {
  VOXLOOM_CHECK(runtime.device == "cpu",
                ErrorCode::kUnsupported,
                "device '{}': this build computes on the cpu only",
                runtime.device);
  at::set_num_threads(thread_budget());
  return engine::resolve({.engine = engine::parse_engine(runtime.engine),
                          .precision = engine::parse_precision(runtime.precision)},
                         bf16_gate_passed);
}

}  // namespace voxloom::infer_ml
