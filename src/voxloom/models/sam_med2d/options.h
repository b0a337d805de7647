#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "voxloom/tensor/key_diff.h"
#include "voxloom/weights/state_dict.h"

namespace voxloom::models::sam_med2d {

/// Everything that fixes the architecture of a SAM-Med2D network (Cheng et al. 2023,
/// arXiv:2308.16184): SAM's plain transformer (Kirillov et al. 2023, arXiv:2304.02643) with an
/// adapter in every block. Defaults: the published network, sam-med2d_b.
struct SamMed2dOptions {
  int64_t image_size = 256;                         ///< Side of the square input, a multiple of 32.
  int64_t embed_dim = 768;                          ///< Channels of the image encoder.
  int64_t depth = 12;                               ///< Blocks.
  int64_t num_heads = 12;                           ///< Of the image encoder.
  int64_t window = 14;                              ///< Edge of the attention windows, in tokens.
  std::vector<int64_t> global_blocks{2, 5, 8, 11};  ///< Blocks that see the whole map.
  int64_t d_model = 256;                            ///< Channels of the embedding; 8 heads.
  int64_t decoder_mlp = 2048;
  int64_t iou_hidden = 256;

  /// Edge of the embedding.
  [[nodiscard]] int64_t grid() const { return image_size / 16; }
  /// Edge of the low-resolution masks.
  [[nodiscard]] int64_t mask_size() const { return image_size / 4; }
  /// Width of an adapter's channel gate.
  [[nodiscard]] int64_t gate_dim() const { return embed_dim / 4; }
  [[nodiscard]] bool is_global(int64_t block) const;

  bool operator==(const SamMed2dOptions&) const = default;

  /// Throws kInvalidArgument for combinations that can't be built.
  void validate() const;
};

inline constexpr const char* kArchitecture = "sam-med2d";
inline constexpr const char* kPublishedVariant = "sam-med2d_b";
inline constexpr int64_t kDecoderHeads = 8, kDecoderLayers = 2;
inline constexpr int64_t kMasks = 4;  ///< One single mask and three that compete.

/// A network of 0.5 M parameters that takes every code path (tests): windows that need padding,
/// one global block.
[[nodiscard]] SamMed2dOptions shrunken_options();

/// kPublishedVariant, or "custom".
[[nodiscard]] std::string variant_name(const SamMed2dOptions& options);

/// For model.yaml. from_json throws kDataCorrupt that starts with `where`.
[[nodiscard]] nlohmann::ordered_json options_to_json(const SamMed2dOptions& options);
[[nodiscard]] SamMed2dOptions options_from_json(const nlohmann::ordered_json& json,
                                                const std::string& where);

/// Names and shapes of all parameters and buffers, as in the official checkpoint.
[[nodiscard]] std::vector<tensor::NamedShape> expected_keys(const SamMed2dOptions& options);

/// Whether a checkpoint belongs to this family: a SAM network of the first generation, with or
/// without adapters.
[[nodiscard]] bool is_sam_checkpoint(const weights::StateDict& state);

/// The architecture of a checkpoint, from its shapes. One with the published width and input is
/// taken for the published network whatever else it lacks, so that check_keys() can say so.
/// Throws kUnsupported for SAM networks without adapters, kDataCorrupt where the shapes name none.
[[nodiscard]] SamMed2dOptions detect_options(const weights::StateDict& state,
                                             const std::string& file_name);

}  // namespace voxloom::models::sam_med2d
