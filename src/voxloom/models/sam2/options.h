#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "voxloom/tensor/key_diff.h"

namespace voxloom::models::sam2 {

/// Hierarchical windowed transformer (Ryali et al. 2023, arXiv:2306.00989).
struct HieraOptions {
  int64_t embed_dim = 96;                         ///< Channels of the first stage; doubles.
  int64_t num_heads = 1;                          ///< Of the first stage; doubles.
  std::vector<int64_t> stages{1, 2, 7, 2};        ///< Blocks of each stage.
  std::vector<int64_t> global_blocks{5, 7, 9};    ///< Blocks that see the whole map.
  std::vector<int64_t> window_spec{8, 4, 14, 7};  ///< Window edge of each stage.
  std::vector<int64_t> position_grid{7, 7};       ///< Stored size of the global position map.
};

/// Plain transformer of EfficientTAM (Xiong et al. 2024, arXiv:2411.18933).
struct VitOptions {
  int64_t embed_dim = 384;
  int64_t num_heads = 6;
  int64_t depth = 12;
  int64_t patch = 16;
  int64_t window = 14;
  std::vector<int64_t> global_blocks{2, 5, 8, 11};
  int64_t position_grid = 14;  ///< Stored edge of the position map (beside one unused row).
};

enum class TrunkKind { kHiera, kVit };

/// Everything that fixes the architecture of one SAM 2 family network (Ravi et al. 2024,
/// arXiv:2408.00714) and how it reads its memory. Defaults: MedSAM2 (arXiv:2504.03600).
struct Sam2Options {
  std::string variant = "medsam2_t512";
  int64_t image_size = 512;  ///< Pixels on a side of the square input; a multiple of 32.
  TrunkKind trunk = TrunkKind::kHiera;
  HieraOptions hiera;
  VitOptions vit;
  int64_t d_model = 256;
  int64_t memory_dim = 64;
  int64_t memory_layers = 4;
  int64_t memory_ffn = 2048;
  double rope_theta = 10000.0;
  int64_t decoder_heads = 8;
  int64_t decoder_layers = 2;
  int64_t decoder_mlp = 2048;
  int64_t iou_hidden = 256;
  int64_t num_multimasks = 3;
  int64_t mask_prompt_channels = 16;
  bool high_res_features = true;    ///< The decoder also sees the two finer feature maps.
  bool absent_embedding = true;     ///< Memories without the object carry an embedding.
  bool pointer_time = true;         ///< Object pointers carry their distance in time.
  int64_t num_memories = 7;         ///< Rows of the temporal table: one prompted, six tracked.
  int64_t max_pointers = 16;        ///< Object pointers read at most, the prompted ones aside.
  int64_t max_cond_frames = -1;     ///< Prompted slices read at most; -1: all.
  int64_t memory_stride = 1;        ///< Distance of the remembered slices.
  double memory_mask_scale = 20.0;  ///< Mask given to the memory encoder: scale * p + bias.
  double memory_mask_bias = -10.0;
  int64_t min_points_multimask = 0;  ///< Point counts for which three masks compete
  int64_t max_points_multimask = 1;  ///< (a box counts two).

  /// Edge of the feature map that memory lives on.
  [[nodiscard]] int64_t grid() const { return image_size / 16; }
  /// Edge of the low-resolution masks.
  [[nodiscard]] int64_t mask_size() const { return image_size / 4; }

  /// Throws kInvalidArgument for combinations that can't be built.
  void validate() const;
};

/// The published networks: medsam2_t512, sam2.1_t, sam2.1_s, sam2.1_b+, sam2.1_l,
/// efficienttam_s_512, efficienttam_ti_512.
[[nodiscard]] std::span<const Sam2Options> known_variants();
/// Throws kNotFound with the list of names.
[[nodiscard]] const Sam2Options& variant_options(std::string_view name);

/// A network of 1.5 M parameters that takes every code path (tests).
[[nodiscard]] Sam2Options shrunken_options();

/// Names and shapes of all parameters and buffers.
[[nodiscard]] std::vector<tensor::NamedShape> expected_keys(const Sam2Options& options);

}  // namespace voxloom::models::sam2
