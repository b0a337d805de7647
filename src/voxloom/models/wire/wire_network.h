#pragma once

#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <torch/torch.h>

namespace voxloom::models::wire {

/// A network that finds thin devices in X-ray frames.
class WireNetwork : public torch::nn::Module {
 public:
  /// x [B, C, H, W] float32, normalised -> logits [B, 1, H, W]. H and W multiples of
  /// size_multiple().
  [[nodiscard]] virtual at::Tensor forward(const at::Tensor& x) = 0;
  /// The same, followed by the logits of deep supervision heads [B, 1, H/k, W/k], finest first;
  /// none where a network has no such heads.
  [[nodiscard]] virtual std::vector<at::Tensor> forward_train(const at::Tensor& x) {
    return {forward(x)};
  }
  [[nodiscard]] virtual int64_t in_channels() const { return 1; }
  [[nodiscard]] virtual int64_t size_multiple() const = 0;
};

/// One architecture of the list.
struct WireArchitecture {
  std::string name;     ///< As in model.yaml: "light-unet", "hessian-net", "fga-net", ...
  std::string summary;  ///< One line.
  std::string reference;
  nlohmann::ordered_json default_options;
};
/// Every architecture, in the order in which they are shown.
[[nodiscard]] const std::vector<WireArchitecture>& wire_architectures();

/// Builds a network with start values from `seed`; `options` may leave out what has a default.
/// Throws kInvalidArgument listing the architectures or the unknown options.
[[nodiscard]] std::shared_ptr<WireNetwork> make_wire_network(const std::string& architecture,
                                                             const nlohmann::ordered_json& options,
                                                             uint64_t seed);

}  // namespace voxloom::models::wire
