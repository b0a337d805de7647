#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "voxloom/infer/wire_segmenter.h"
#include "voxloom/infer_ml/sized_network.h"
#include "voxloom/models/wire/wire_network.h"
#include "voxloom/weights/package.h"

namespace voxloom::infer_ml {

/// What model.yaml of a wire package holds beside the network: its `preprocessing`.
struct WirePackageInfo {
  std::vector<std::string> classes;
  double threshold = 0.5;
  bool bright_object = false;
  int64_t crop_side = 0;  ///< px of the crops round boxes that it was trained on; 0: frames.
};
[[nodiscard]] nlohmann::ordered_json wire_preprocessing_to_json(const WirePackageInfo& info);
/// Throws kDataCorrupt that starts with `where`.
[[nodiscard]] WirePackageInfo wire_preprocessing_from_json(const nlohmann::ordered_json& json,
                                                           const std::string& where);

/// The network of a package with its weights. Throws kDataCorrupt, kInvalidArgument.
[[nodiscard]] std::shared_ptr<models::wire::WireNetwork> load_wire_network(
    const weights::Package& package);

/// A loaded network as something that engines run; `state` holds the same weights.
[[nodiscard]] SizedNetworkSource wire_network_source(
    std::shared_ptr<models::wire::WireNetwork> network,
    const std::string& architecture,
    const nlohmann::ordered_json& options,
    std::shared_ptr<const weights::StateDict> state,
    const std::string& weights_sha256);

/// Probabilities of one image by a network in memory, averaged over `augmentation`.
/// image [1, C, H, W] in [0, 1], objects dark -> [H, W].
[[nodiscard]] at::Tensor wire_probability(
    const std::function<at::Tensor(const at::Tensor&)>& logits_of,
    const at::Tensor& image,
    int64_t size_multiple,
    infer::TestAugmentation augmentation);

/// The segmenter of a package.
[[nodiscard]] std::unique_ptr<infer::WireSegmenter> make_wire_segmenter(
    const std::string& package,
    const infer::RuntimeOptions& runtime,
    infer::TestAugmentation augmentation);

}  // namespace voxloom::infer_ml
