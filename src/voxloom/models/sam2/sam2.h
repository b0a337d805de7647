#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include <torch/torch.h>

#include "voxloom/models/sam2/image_encoder.h"
#include "voxloom/models/sam2/mask_decoder.h"
#include "voxloom/models/sam2/memory_attention.h"
#include "voxloom/models/sam2/memory_backend.h"
#include "voxloom/models/sam2/memory_encoder.h"
#include "voxloom/models/sam2/options.h"
#include "voxloom/models/sam2/prompt_encoder.h"
#include "voxloom/tensor/load.h"

namespace voxloom::models::sam2 {

/// Logit that every pixel of a mask without an object gets.
inline constexpr double kAbsentLogit = -1024.0;

/// What the image encoder knows about a batch of slices, with g = grid():
/// f0 [B, C/8, 4g, 4g] (after conv_s0), f1 [B, C/4, 2g, 2g] (after conv_s1), f2 [B, C, g, g].
/// f0 and f1 are undefined for networks without high_res_features. 4.2 MB a slice at 512.
struct SliceFeatures {
  at::Tensor f0, f1, f2;

  /// Slice `i` of the batch, as a batch of one that shares the memory.
  [[nodiscard]] SliceFeatures slice(int64_t i) const;
};

/// Another way to run the memory encoder: features [1, C, g, g] without memory and scaled mask
/// [1, 1, S, S] -> [1, memory_dim, g, g].
using MemoryEncoderCall =
    std::function<at::Tensor(const at::Tensor& features, const at::Tensor& mask)>;

/// Input of the heads; any member may be undefined.
struct HeadsPrompt {
  at::Tensor points;  ///< [B, P, 2] model pixels (x, y).
  at::Tensor labels;  ///< [B, P], see PointLabel.
  at::Tensor mask;    ///< [B, 1, h, w] logits; resized to 4g where needed.
};

struct HeadsOutput {
  at::Tensor masks;    ///< [B, M, 4g, 4g] logits, M = 3 or 1; kAbsentLogit without an object.
  at::Tensor ious;     ///< [B, M]
  at::Tensor low;      ///< [B, 1, 4g, 4g] the mask with the highest predicted overlap.
  at::Tensor iou;      ///< [B, 1] its predicted overlap.
  at::Tensor pointer;  ///< [B, C] object pointer.
  at::Tensor score;    ///< [B, 1] logit that the object is in the slice.
};

/// The networks of the SAM 2 family as one module; member names are checkpoint keys. Weights are
/// undefined until loaded. All functions take and give float32; set eval() for inference and hold
/// a NoGradGuard.
class Sam2Impl : public torch::nn::Module {
 public:
  explicit Sam2Impl(const Sam2Options& options);

  /// image [B, 3, S, S], normalised -> features.
  SliceFeatures encode_image(const at::Tensor& image);

  /// f2 for a slice that reads no memory (a prompted one): [B, C, g, g] -> the same shape.
  at::Tensor without_memory(const at::Tensor& f2);

  /// f2 [1, C, g, g] conditioned on memory, by the present backend.
  at::Tensor condition_on_memory(const at::Tensor& f2, const MemoryRead& memory);

  /// Prompt encoder and mask decoder on conditioned features [B, C, g, g]; `features` gives f0
  /// and f1. Without points, two "not a point" tokens stand in.
  HeadsOutput heads(const at::Tensor& conditioned,
                    const SliceFeatures& features,
                    const HeadsPrompt& prompt,
                    bool multimask,
                    const StabilityFallback& fallback);

  /// Takes a mask [B, 1, S, S] of zeros and ones as the answer: logits +-10, overlap 1, score
  /// +-10, and the object pointer that the heads give for it.
  HeadsOutput mask_as_output(const SliceFeatures& features, const at::Tensor& mask);

  /// Memory map [B, memory_dim, g, g] of a slice: f2 *without* memory, mask logits
  /// [B, 1, S, S], score [B, 1]. `binarise`: threshold the mask, else squash it.
  at::Tensor encode_memory(const at::Tensor& f2,
                           const at::Tensor& logits,
                           const at::Tensor& score,
                           bool binarise);

  /// Tokens and positions [4 P, memory_dim] of object pointers [P, C] whose signed distance in
  /// time, divided by the longest one, is `times` [P].
  std::pair<at::Tensor, at::Tensor> pointer_tokens(const at::Tensor& pointers,
                                                   const at::Tensor& times);

  /// Whether three masks compete for a prompt with `points` points (a box counts two).
  [[nodiscard]] bool uses_multimask(int64_t points) const;

  /// Sine positions: [g^2, C] of f2 and [g^2, memory_dim] of memory maps.
  at::Tensor image_position();
  at::Tensor memory_position();

  /// The parts that a MemoryBackend is made from.
  MemoryBackendParts memory_backend_parts();
  /// Replaces how memory attention is computed; by default libtorch.
  void set_memory_backend(std::shared_ptr<MemoryBackend> backend);
  /// Replaces how memory maps are made; empty: the module, by libtorch.
  void set_memory_encoder(MemoryEncoderCall call);

  const Sam2Options options;
  ImageEncoder image_encoder{nullptr};
  nn::Conv2d mask_downsample{nullptr};
  MemoryAttention memory_attention{nullptr};
  MemoryEncoder memory_encoder{nullptr};
  at::Tensor maskmem_tpos_enc, no_mem_embed, no_mem_pos_enc, no_obj_ptr, no_obj_embed_spatial;
  PromptEncoder sam_prompt_encoder{nullptr};
  MaskDecoder sam_mask_decoder{nullptr};
  nn::Mlp obj_ptr_proj{nullptr};
  nn::Linear obj_ptr_tpos_proj{nullptr};

 private:
  at::Tensor position(int64_t channels);

  nn::ConstantCache cache_;
  std::shared_ptr<MemoryBackend> backend_;
  MemoryEncoderCall encode_map_;
};
TORCH_MODULE(Sam2);

/// Bilinear resizing as the original does it (no anti-aliasing): x [B, C, h, w].
[[nodiscard]] at::Tensor resize_logits(const at::Tensor& x, int64_t height, int64_t width);
/// Bilinear with anti-aliasing.
[[nodiscard]] at::Tensor resize_smooth(const at::Tensor& x, int64_t height, int64_t width);

/// Builds the network that `state` holds and loads it, ready for inference (eval mode, no
/// gradients). `variant` may be empty: detect_options(). Throws kDataCorrupt naming all keys that
/// do not fit, with `file_name` in front.
[[nodiscard]] Sam2 load_sam2(const weights::StateDict& state,
                             std::string_view variant,
                             std::string_view file_name,
                             tensor::LoadMode mode = tensor::LoadMode::kCopy);

}  // namespace voxloom::models::sam2
