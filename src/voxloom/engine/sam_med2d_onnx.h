#pragma once

#include "voxloom/engine/onnx_writer.h"
#include "voxloom/models/sam_med2d/options.h"
#include "voxloom/weights/state_dict.h"

namespace voxloom::engine {

// SAM-Med2D as two graphs with the input and output names of its authors' export
// (github.com/OpenGVLab/SAM-Med2D, scripts/export_onnx_*.py; default options), so that programs
// written for those files read ours. Both throw kDataCorrupt naming the key when `state` lacks one
// or it has another shape.

/// Image encoder, static:
///
///     input_image [1, 3, S, S] f32, RGB, normalised -> image_embeddings [1, d, S/16, S/16]
[[nodiscard]] OnnxGraph sam_med2d_encoder_graph(const models::sam_med2d::SamMed2dOptions& options,
                                                const weights::StateDict& state);

/// Prompt encoder, mask decoder and resizing, for any number N >= 1 of points:
///
///     image_embeddings [1, d, g, g]
///     point_coords     [1, N, 2] f32, (x, y) in pixels of the S x S image
///     point_labels     [1, N] f32: 1 positive, 0 negative, 2 and 3 the corners of a box, -1
///     padding mask_input       [1, 1, 4g, 4g] f32, probabilities of an earlier mask has_mask_input
///     [1] f32, 1 or 0 orig_im_size     [2] f32, height and width h, w of the picture
///       -> masks [1, 4, h, w] logits, iou_predictions [1, 4], low_res_masks [1, 4, 4g, 4g] logits
///
/// No padding point is added inside: points without a box want (0, 0) with label -1 after them.
[[nodiscard]] OnnxGraph sam_med2d_decoder_graph(const models::sam_med2d::SamMed2dOptions& options,
                                                const weights::StateDict& state);

inline constexpr const char* kSamMed2dImage = "input_image";
inline constexpr const char* kSamMed2dEmbedding = "image_embeddings";

}  // namespace voxloom::engine
