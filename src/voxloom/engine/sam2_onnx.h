#pragma once

#include "voxloom/engine/onnx_writer.h"
#include "voxloom/models/sam2/options.h"
#include "voxloom/weights/state_dict.h"

namespace voxloom::engine {

/// The image encoder of a SAM 2 family model as a static graph: trunk, neck and the decoder's two
/// 1x1 convolutions of the fine levels, which are multiplied into the neck's.
///
///     image [1, 3, S, S] f32, normalised
///       -> f0 [1, d/8, S/4, S/4], f1 [1, d/4, S/8, S/8]   (models with fine features only)
///       -> f2 [1, d, S/16, S/16]                          (d = 256 in every published model)
///
/// Nothing is left to compute about shapes: position embeddings are resized here, and windows are
/// reshapes, transposes and gathers with constant shapes. Rows stay in window order for as long as
/// the next block uses the same windows; padding is added after the qkv projection (a padded
/// token's q, k and v are the bias) and cropped before the output projection.
///
/// Throws kDataCorrupt naming the key when `state` lacks one or it has another shape.
[[nodiscard]] OnnxGraph sam2_encoder_graph(const models::sam2::Sam2Options& options,
                                           const weights::StateDict& state);

/// Prompt encoder, mask decoder and object-pointer head, with any number N >= 1 of points.
///
///     f0, f1            as above (models with fine features only)
///     f2                [1, d, g, g], the features to decode: with no_mem_embed added, or
///                       conditioned on memory
///     point_coords      [1, N, 2] f32, (x, y) in pixels of the S x S image
///     point_labels      [1, N] f32: 1 positive, 0 negative, 2 and 3 the corners of a box (before
///                       the points), -1 padding
///     mask_input        [1, 1, 4g, 4g] f32 logits; has_mask_input [1] f32, 1 or 0
///       -> masks [1, 4, 4g, 4g] logits, ious [1, 4], object_score [1, 1] logit,
///          pointers [1, 4, d] (after obj_ptr_proj, before no_obj_ptr is mixed in)
///
/// The padding point that the original always appends is appended inside; a caller without a
/// prompt gives one point with label -1. Which mask counts (multimask, stability) and what an
/// absent object means stay with the caller (models/sam2).
[[nodiscard]] OnnxGraph sam2_decoder_graph(const models::sam2::Sam2Options& options,
                                           const weights::StateDict& state);

/// Memory encoder: what a slice and its mask leave behind for the slices tracked later.
///
///     f2 [1, d, g, g] without memory, mask [1, 1, 16g, 16g] (scaled probabilities)
///       -> memory [1, memory_dim, g, g], before no_obj_embed_spatial is added
[[nodiscard]] OnnxGraph sam2_memory_graph(const models::sam2::Sam2Options& options,
                                          const weights::StateDict& state);

}  // namespace voxloom::engine
