#include "voxloom/models/sam2/memory_backend.h"

#include <torch/torch.h>

#include "voxloom/core/error.h"

namespace voxloom::models::sam2 {

MemoryFrame::MemoryFrame(const at::Tensor& map, bool prompted)
    : tokens_(map.detach().to(at::kFloat).flatten(2).squeeze(0).t().contiguous()),
      prompted_(prompted) {}

namespace {

class TorchMemoryBackend : public MemoryBackend {
 public:
  explicit TorchMemoryBackend(MemoryBackendParts parts) : parts_(std::move(parts)) {}

  at::Tensor condition(const at::Tensor& f2, const MemoryRead& memory) override {
    std::vector<at::Tensor> tokens, positions;
    for (const MemoryRead::Map& map : memory.maps) {
      tokens.push_back(map.frame->tokens());
      positions.push_back(parts_.memory_position + parts_.temporal_rows[map.temporal_row]);
    }
    int64_t pointer_tokens = 0;
    if (memory.pointers.defined() && memory.pointers.size(0) > 0) {
      tokens.push_back(memory.pointers);
      positions.push_back(memory.pointer_positions);
      pointer_tokens = memory.pointers.size(0);
    }
    VOXLOOM_CHECK(!tokens.empty(),
                  ErrorCode::kInvalidArgument,
                  "memory attention: must get at least one map or pointer, got none");
    const at::Tensor out = parts_.attention(f2.flatten(2).transpose(1, 2),
                                            parts_.image_position,
                                            at::cat(tokens, 0).unsqueeze(0),
                                            at::cat(positions, 0).unsqueeze(0),
                                            pointer_tokens);
    return out.transpose(1, 2).reshape(f2.sizes());
  }

 private:
  MemoryBackendParts parts_;
};

}  // namespace

std::unique_ptr<MemoryBackend> make_torch_memory_backend(MemoryBackendParts parts) {
  return std::make_unique<TorchMemoryBackend>(std::move(parts));
}

}  // namespace voxloom::models::sam2
