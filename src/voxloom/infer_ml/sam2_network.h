#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "voxloom/engine/network.h"
#include "voxloom/infer/segmenter.h"
#include "voxloom/models/sam2/sam2.h"
#include "voxloom/weights/state_dict.h"

namespace voxloom::infer_ml {

/// A loaded network with everything that its sessions share.
struct Sam2Network {
  std::string name;  ///< For reports: the package's name.
  models::sam2::Sam2 model{nullptr};
  std::unique_ptr<engine::SliceEncoder> encoder;
};

/// Loads a model package (folder or name) and makes its encoder ready. Throws kNotFound,
/// kDataCorrupt, kUnsupported naming the package.
[[nodiscard]] std::shared_ptr<Sam2Network> load_network(const std::string& package,
                                                        const infer::RuntimeOptions& runtime);

/// Makes the network's encoder and memory attention ready for `runtime`. `weights_sha256` names the
/// compiled networks in the cache; `folder` is the package, or empty.
void prepare_encoder(Sam2Network& network,
                     const weights::StateDict& state,
                     const std::string& weights_sha256,
                     const std::filesystem::path& folder,
                     bool bf16_gate_passed,
                     const infer::RuntimeOptions& runtime);

/// The segmenter of a package. Its sessions share the features of an image's slices
/// (feature_pool.h) within runtime.feature_cache_mb of memory.
[[nodiscard]] std::unique_ptr<infer::Segmenter> make_sam2_segmenter(
    std::shared_ptr<Sam2Network> network, const infer::RuntimeOptions& runtime);

}  // namespace voxloom::infer_ml
