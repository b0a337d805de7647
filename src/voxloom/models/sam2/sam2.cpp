#include "voxloom/models/sam2/sam2.h"

#include "voxloom/core/error.h"
#include "voxloom/models/sam2/detect.h"
#include "voxloom/tensor/view.h"

namespace voxloom::models::sam2 {
namespace {

/// mask [B, 1, S, S] of zeros and ones as confident logits, +-10.
constexpr double kMaskScale = 20.0;
constexpr double kMaskBias = -10.0;

}  // namespace

at::Tensor resize_logits(const at::Tensor& x, int64_t height, int64_t width) {
  if (x.size(2) == height && x.size(3) == width) return x;
  return at::upsample_bilinear2d(
      x, {height, width}, /*align_corners=*/false, c10::nullopt, c10::nullopt);
}

at::Tensor resize_smooth(const at::Tensor& x, int64_t height, int64_t width) {
  if (x.size(2) == height && x.size(3) == width) return x;
  return at::_upsample_bilinear2d_aa(
      x, {height, width}, /*align_corners=*/false, c10::nullopt, c10::nullopt);
}

SliceFeatures SliceFeatures::slice(int64_t i) const {
  const auto pick = [&](const at::Tensor& t) { return t.defined() ? t.narrow(0, i, 1) : t; };
  return {pick(f0), pick(f1), pick(f2)};
}

Sam2Impl::Sam2Impl(const Sam2Options& sam2_options) : options(sam2_options) {
  options.validate();
  const int64_t d = options.d_model;
  const int64_t m = options.memory_dim;
  image_encoder = register_module("image_encoder", ImageEncoder(options));
  mask_downsample = register_module("mask_downsample",
                                    nn::Conv2d(1, 1, nn::ConvOptions{.kernel = 4, .stride = 4}));
  memory_attention = register_module("memory_attention", MemoryAttention(options));
  memory_encoder = register_module("memory_encoder", MemoryEncoder(options));
  maskmem_tpos_enc =
      register_parameter("maskmem_tpos_enc", torch::zeros({options.num_memories, 1, 1, m}));
  no_mem_embed = register_parameter("no_mem_embed", torch::zeros({1, 1, d}));
  no_mem_pos_enc = register_parameter("no_mem_pos_enc", torch::zeros({1, 1, d}));
  no_obj_ptr = register_parameter("no_obj_ptr", torch::zeros({1, d}));
  if (options.absent_embedding) {
    no_obj_embed_spatial = register_parameter("no_obj_embed_spatial", torch::zeros({1, m}));
  }
  sam_prompt_encoder = register_module("sam_prompt_encoder", PromptEncoder(options));
  sam_mask_decoder = register_module("sam_mask_decoder", MaskDecoder(options));
  obj_ptr_proj = register_module("obj_ptr_proj",
                                 nn::Mlp(std::vector<int64_t>{d, d, d, d}, nn::Activation::kRelu));
  if (options.pointer_time) {
    obj_ptr_tpos_proj = register_module("obj_ptr_tpos_proj", nn::Linear(d, m));
  }
}

SliceFeatures Sam2Impl::encode_image(const at::Tensor& image) {
  VOXLOOM_CHECK(image.dim() == 4 && image.size(1) == 3 && image.size(2) == options.image_size &&
                    image.size(3) == options.image_size,
                ErrorCode::kInvalidArgument,
                "sam2: the image must be [B, 3, {}, {}], got {}",
                options.image_size,
                options.image_size,
                tensor::shape_str(image));
  const std::vector<at::Tensor> maps = image_encoder(image);
  SliceFeatures features;
  if (options.high_res_features) {
    features.f0 = sam_mask_decoder->conv_s0(maps[0]).contiguous();
    features.f1 = sam_mask_decoder->conv_s1(maps[1]).contiguous();
  }
  features.f2 = maps.back().contiguous();
  return features;
}

at::Tensor Sam2Impl::without_memory(const at::Tensor& f2) {
  return f2 + no_mem_embed.view({1, -1, 1, 1});
}

at::Tensor Sam2Impl::condition_on_memory(const at::Tensor& f2, const MemoryRead& memory) {
  if (!backend_) backend_ = make_torch_memory_backend(memory_backend_parts());
  return backend_->condition(f2, memory);
}

HeadsOutput Sam2Impl::heads(const at::Tensor& conditioned,
                            const SliceFeatures& features,
                            const HeadsPrompt& prompt,
                            bool multimask,
                            const StabilityFallback& fallback) {
  const int64_t batch = conditioned.size(0);
  at::Tensor points = prompt.points;
  at::Tensor labels = prompt.labels;
  if (!points.defined()) {
    points = at::zeros({batch, 1, 2}, conditioned.options());
    labels = at::full({batch, 1}, kNotAPoint, conditioned.options().dtype(at::kLong));
  }
  const at::Tensor tokens = sam_prompt_encoder->embed_points(points, labels);
  const at::Tensor dense = prompt.mask.defined()
                               ? sam_prompt_encoder->embed_mask(resize_smooth(
                                     prompt.mask, options.mask_size(), options.mask_size()))
                               : sam_prompt_encoder->no_mask();
  const DecodedMasks decoded =
      sam_mask_decoder(conditioned,
                       sam_prompt_encoder->dense_position(conditioned.size(2)),
                       tokens,
                       dense,
                       features.f0,
                       features.f1,
                       multimask,
                       fallback);

  HeadsOutput out;
  out.score = decoded.score;
  const at::Tensor present = decoded.score > 0;  // [B, 1]
  out.masks =
      decoded.masks.masked_fill(at::logical_not(present).view({batch, 1, 1, 1}), kAbsentLogit);
  out.ious = decoded.ious;
  const at::Tensor rows = torch::arange(batch, labels.options().dtype(at::kLong));
  const at::Tensor best = out.ious.argmax(1);
  out.low = out.masks.index({rows, best}).unsqueeze(1);
  out.iou = out.ious.index({rows, best}).unsqueeze(1);
  const at::Tensor pointer = obj_ptr_proj(decoded.tokens.index({rows, best}));
  out.pointer = at::where(present, pointer, no_obj_ptr);
  return out;
}

HeadsOutput Sam2Impl::mask_as_output(const SliceFeatures& features, const at::Tensor& mask) {
  const int64_t size = options.image_size;
  VOXLOOM_CHECK(
      mask.dim() == 4 && mask.size(1) == 1 && mask.size(2) == size && mask.size(3) == size,
      ErrorCode::kInvalidArgument,
      "sam2: a mask prompt must be [B, 1, {}, {}], got {}",
      size,
      size,
      tensor::shape_str(mask));
  const at::Tensor values = mask.to(features.f2.options());
  HeadsPrompt prompt;
  prompt.mask = mask_downsample(values);
  // The pointer is the heads' answer to the mask on features that carry no memory embedding.
  const HeadsOutput answer =
      heads(features.f2, features, prompt, /*multimask=*/false, StabilityFallback{});
  const at::Tensor present = (values.flatten(1) > 0).any(1).unsqueeze(1);  // [B, 1]

  HeadsOutput out;
  out.low =
      resize_smooth(values * kMaskScale + kMaskBias, options.mask_size(), options.mask_size());
  out.masks = out.low;
  out.iou = at::ones({mask.size(0), 1}, values.options());
  out.ious = out.iou;
  out.pointer = at::where(present, answer.pointer, no_obj_ptr);
  out.score = present.to(values.scalar_type()) * kMaskScale + kMaskBias;
  return out;
}

at::Tensor Sam2Impl::encode_memory(const at::Tensor& f2,
                                   const at::Tensor& logits,
                                   const at::Tensor& score,
                                   bool binarise) {
  const at::Tensor shape = binarise ? (logits > 0).to(f2.scalar_type()) : logits.sigmoid();
  const at::Tensor mask = shape * options.memory_mask_scale + options.memory_mask_bias;
  at::Tensor map = encode_map_ ? encode_map_(f2, mask) : memory_encoder(f2, mask);
  if (no_obj_embed_spatial.defined()) {
    const at::Tensor absent = (score <= 0).to(map.scalar_type()).view({-1, 1, 1, 1});
    map = map + absent * no_obj_embed_spatial.view({1, -1, 1, 1});
  }
  return map;
}

std::pair<at::Tensor, at::Tensor> Sam2Impl::pointer_tokens(const at::Tensor& pointers,
                                                           const at::Tensor& times) {
  const int64_t pieces = options.d_model / options.memory_dim;
  const at::Tensor tokens = pointers.reshape({-1, options.memory_dim});
  if (!options.pointer_time) return {tokens, at::zeros_like(tokens)};
  const at::Tensor position =
      obj_ptr_tpos_proj(sine_of_time(times, options.d_model).to(pointers.device()));
  return {tokens, position.repeat_interleave(pieces, 0)};
}

bool Sam2Impl::uses_multimask(int64_t points) const {
  return points >= options.min_points_multimask && points <= options.max_points_multimask;
}

at::Tensor Sam2Impl::position(int64_t channels) {
  const int64_t grid = options.grid();
  const auto device = no_mem_embed.device();
  return cache_.get({channels, grid, static_cast<int64_t>(device.type()), device.index()}, [&] {
    return sine_position(channels, grid, grid).flatten(1).t().contiguous().to(device);
  });
}

at::Tensor Sam2Impl::image_position() {
  return position(options.d_model);
}

at::Tensor Sam2Impl::memory_position() {
  return position(options.memory_dim);
}

MemoryBackendParts Sam2Impl::memory_backend_parts() {
  MemoryBackendParts parts;
  parts.attention = memory_attention;
  parts.temporal_rows = maskmem_tpos_enc.view({options.num_memories, options.memory_dim});
  parts.image_position = image_position();
  parts.memory_position = memory_position();
  parts.grid = options.grid();
  parts.rope_theta = options.rope_theta;
  return parts;
}

void Sam2Impl::set_memory_backend(std::shared_ptr<MemoryBackend> backend) {
  backend_ = std::move(backend);
}

void Sam2Impl::set_memory_encoder(MemoryEncoderCall call) {
  encode_map_ = std::move(call);
}

Sam2 load_sam2(const weights::StateDict& state,
               std::string_view variant,
               std::string_view file_name,
               tensor::LoadMode mode) {
  const Sam2Options options = detect_options(state, variant, file_name);
  const tensor::KeyDiff diff = check_keys(options, state);
  VOXLOOM_CHECK(diff.empty(),
                ErrorCode::kDataCorrupt,
                "'{}': the keys must be those of '{}', got {}",
                file_name,
                options.variant,
                diff.describe());
  Sam2 model(options);
  tensor::load_state_dict(*model, state, file_name, mode);
  model->eval();
  for (at::Tensor& parameter : model->parameters()) parameter.requires_grad_(false);
  // Built here and not at first use, so that threads may share the model.
  model->set_memory_backend(make_torch_memory_backend(model->memory_backend_parts()));
  return model;
}

}  // namespace voxloom::models::sam2
