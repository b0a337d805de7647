#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "voxloom/engine/onnx_weights.h"

namespace voxloom::engine {

/// How a checkpoint of the SAM family names and sizes its prompt encoder and mask decoder.
struct SamDecoderLayout {
  std::string prompt_prefix, decoder_prefix;  ///< "sam_prompt_encoder.", "sam_mask_decoder."
  std::string mlp_first, mlp_second;          ///< "mlp.layers.0", "mlp.layers.1"
  int64_t width = 256;
  int64_t image_size = 1024;

  [[nodiscard]] int64_t grid() const { return image_size / 16; }
};

/// What the decoders of SAM 1 and SAM 2 have in common (Kirillov et al. 2023, arXiv:2304.02643),
/// as nodes of a graph. d is the width, g the grid, T the number of tokens.
class SamDecoderParts {
 public:
  static constexpr int64_t kMasks = 4;

  /// `layers` must outlive this object.
  SamDecoderParts(OnnxLayers& layers, SamDecoderLayout layout);

  /// (x, y) [1, N, 2] in pixels of the model's image and labels [1, N] (1 positive, 0 negative, 2
  /// and 3 box corners, -1 none) -> [1, N, d].
  OnnxValue embed_points(const OnnxValue& coords, const OnnxValue& labels);
  /// The token of a point with label -1, [1, 1, d].
  OnnxValue padding_point();
  /// Mask [1, 1, 4g, 4g], used where has_mask [1] is 1 -> [1, d, g, g]. Whatever an ignored mask
  /// holds (NaN included) stays out.
  OnnxValue embed_mask(const OnnxValue& mask, const OnnxValue& has_mask);
  /// Learned [1, d] and [n, d] rows of the checkpoint one below the other, [1, rows, d].
  OnnxValue learned_tokens(const std::vector<std::string>& keys);

  /// The two-way transformer: tokens [1, T, d] and image rows [1, g^2, d] attend to each other.
  void transform(OnnxValue& tokens, OnnxValue& image);
  /// Image rows [1, g^2, d] -> [1, d/8, 4g, 4g]; the finer features are added where they have a
  /// name.
  OnnxValue upscale(const OnnxValue& rows, const OnnxValue& f1, const OnnxValue& f0);
  /// Mask logits [1, 4, 4g, 4g] from the tokens after `first` and the upscaled map.
  OnnxValue masks(const OnnxValue& tokens, int64_t first, const OnnxValue& map);
  /// What the overlap head says of token `index`: [1, 4].
  OnnxValue overlaps(const OnnxValue& tokens, int64_t index);

  [[nodiscard]] std::string prompt_key(const std::string& name) const {
    return layout_.prompt_prefix + name;
  }
  [[nodiscard]] std::string decoder_key(const std::string& name) const {
    return layout_.decoder_prefix + name;
  }

 private:
  OnnxValue grid_position();
  OnnxValue heads(const OnnxValue& x, const std::vector<int64_t>& order);
  OnnxValue attention(const std::string& prefix,
                      const OnnxValue& q,
                      const OnnxValue& k,
                      const OnnxValue& v,
                      int64_t inner);
  OnnxValue norm(const OnnxValue& x, const std::string& prefix);

  OnnxLayers& layers_;
  OnnxGraph& graph_;
  const SamDecoderLayout layout_;
  const int64_t width_, grid_;
};

}  // namespace voxloom::engine
