#include <atomic>

#include <torch/torch.h>

#include "voxloom/core/error.h"
#include "voxloom/kernels/memory_attention.h"
#include "voxloom/models/sam2/memory_backend.h"
#include "voxloom/tensor/view.h"

namespace voxloom::models::sam2 {
namespace {

/// Weights as the kernel takes them: pointers into tensors that are kept alive beside them.
class WeightPointers {
 public:
  explicit WeightPointers(const MemoryBackendParts& parts) {
    for (const MemoryAttentionLayer& layer : parts.attention->layer_list()) {
      const RopeAttention& own = layer->self_attn;
      const RopeAttention& cross = layer->cross_attn_image;
      kernels::MemoryAttentionLayerWeights w;
      w.self_q = linear(own->q_proj);
      w.self_k = linear(own->k_proj);
      w.self_v = linear(own->v_proj);
      w.self_out = linear(own->out_proj);
      w.cross_q = linear(cross->q_proj);
      w.cross_out = linear(cross->out_proj);
      w.cross_k = linear(cross->k_proj);
      w.cross_v = linear(cross->v_proj);
      w.linear1 = linear(layer->linear1);
      w.linear2 = linear(layer->linear2);
      w.norm1 = norm(layer->norm1);
      w.norm2 = norm(layer->norm2);
      w.norm3 = norm(layer->norm3);
      weights.layers.push_back(w);
    }
    weights.norm = norm(parts.attention->norm);
    weights.temporal = pointer(parts.temporal_rows);
  }

  kernels::MemoryAttentionWeights weights;

 private:
  const float* pointer(const at::Tensor& tensor) {
    held_.push_back(tensor.detach().to(at::kCPU, at::kFloat).contiguous());
    return held_.back().const_data_ptr<float>();
  }
  kernels::LinearWeights linear(const nn::Linear& layer) {
    return {pointer(layer->weight), pointer(layer->bias)};
  }
  kernels::NormWeights norm(const nn::LayerNorm& layer) {
    return {pointer(layer->weight), pointer(layer->bias)};
  }

  std::vector<at::Tensor> held_;
};

kernels::MemoryAttentionShape shape_of(const MemoryBackendParts& parts) {
  const MemoryAttentionLayer& layer = parts.attention->layer_list().front();
  kernels::MemoryAttentionShape shape;
  shape.channels = layer->linear1->weight.size(1);
  shape.memory_channels = layer->cross_attn_image->k_proj->weight.size(1);
  shape.hidden_channels = layer->linear1->weight.size(0);
  shape.grid_height = parts.grid;
  shape.grid_width = parts.grid;
  shape.temporal_rows = parts.temporal_rows.size(0);
  shape.rope_theta = parts.rope_theta;
  return shape;
}

class FastMemoryBackend : public MemoryBackend {
 public:
  FastMemoryBackend(const MemoryBackendParts& parts, kernels::Precision precision)
      : attention_(shape_of(parts), WeightPointers(parts).weights, precision),
        image_position_(0.1 * parts.image_position.detach().to(at::kCPU, at::kFloat)),
        memory_position_(parts.memory_position.detach().to(at::kCPU, at::kFloat).contiguous()) {}

  at::Tensor condition(const at::Tensor& f2, const MemoryRead& memory) override {
    const auto& shape = attention_.shape();
    const std::vector<int64_t> wanted{1, shape.channels, shape.grid_height, shape.grid_width};
    VOXLOOM_CHECK(f2.sizes().vec() == wanted && f2.device().is_cpu(),
                  ErrorCode::kInvalidArgument,
                  "memory attention: features must be {} on the cpu, got {}",
                  wanted,
                  tensor::shape_str(f2));
    std::vector<std::shared_ptr<const void>> held;
    std::vector<kernels::MemoryRead> reads;
    for (const MemoryRead::Map& map : memory.maps) {
      held.push_back(prepare(*map.frame));
      reads.push_back(
          {static_cast<const kernels::MemoryKeys*>(held.back().get()), map.temporal_row});
    }
    at::Tensor tokens, positions;
    kernels::PointerTokens pointers;
    if (memory.pointers.defined() && memory.pointers.size(0) > 0) {
      tokens = memory.pointers.to(at::kFloat).contiguous();
      positions = memory.pointer_positions.to(at::kFloat).contiguous();
      pointers = {
          tokens.const_data_ptr<float>(), positions.const_data_ptr<float>(), tokens.size(0)};
    }
    const at::Tensor x =
        (f2.to(at::kFloat).flatten(2).squeeze(0).t() + image_position_).contiguous();
    at::Tensor out = at::empty_like(x);
    attention_.run(x.const_data_ptr<float>(), reads, pointers, out.data_ptr<float>());
    return out.t().contiguous().view(f2.sizes());
  }

 private:
  std::shared_ptr<const void> prepare(const MemoryFrame& frame) {
    return frame.prepared(number_, [&]() -> std::shared_ptr<const void> {
      const at::Tensor& tokens = frame.tokens();
      VOXLOOM_CHECK(tokens.sizes() == memory_position_.sizes(),
                    ErrorCode::kInvalidArgument,
                    "memory attention: a memory map must be {}, got {}",
                    tensor::shape_str(memory_position_),
                    tensor::shape_str(tokens));
      const at::Tensor local = tokens.to(at::kCPU);
      return attention_.encode(local.const_data_ptr<float>(),
                               memory_position_.const_data_ptr<float>());
    });
  }

  static uint64_t next_number() {
    static std::atomic<uint64_t> count{0};
    return ++count;
  }

  const uint64_t number_ = next_number();  // an address may be used again, a number is not
  kernels::MemoryAttention attention_;
  at::Tensor image_position_;  // with the weight it is added with
  at::Tensor memory_position_;
};

}  // namespace

std::unique_ptr<MemoryBackend> make_fast_memory_backend(const MemoryBackendParts& parts,
                                                        kernels::Precision precision) {
  return std::make_unique<FastMemoryBackend>(parts, precision);
}

}  // namespace voxloom::models::sam2
