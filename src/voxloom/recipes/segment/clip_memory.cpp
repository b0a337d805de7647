#include "voxloom/recipes/segment/clip_memory.h"

#include <algorithm>
#include <vector>

#include <torch/torch.h>

namespace voxloom::recipes::segment {

void ClipMemory::add(int64_t frame,
                     bool prompted,
                     const at::Tensor& map,
                     const at::Tensor& pointer) {
  (prompted ? prompted_ : tracked_)[frame] = {map.flatten(2).transpose(1, 2), pointer};
}

at::Tensor ClipMemory::condition(int64_t frame, const at::Tensor& f2) {
  const auto& options = network_->options;
  const int64_t objects = f2.size(0);
  const at::Tensor rows =
      network_->maskmem_tpos_enc.view({options.num_memories, options.memory_dim});
  const at::Tensor cells = network_->memory_position();
  std::vector<at::Tensor> memory, positions, pointers;
  std::vector<double> times;
  const int64_t horizon = std::max<int64_t>(2, std::min(frames_, options.max_pointers));
  const auto add_pointer = [&](int64_t distance, const Record& record) {
    pointers.push_back(record.pointer);
    times.push_back(static_cast<double>(distance) / static_cast<double>(horizon - 1));
  };
  for (const auto& [at, record] : prompted_) {
    memory.push_back(record.tokens);
    positions.push_back(cells + rows[options.num_memories - 1]);
    add_pointer(frame - at, record);
  }
  for (int64_t back = options.num_memories - 1; back >= 1; --back) {
    const auto found = tracked_.find(frame - back);
    if (found == tracked_.end()) continue;
    memory.push_back(found->second.tokens);
    positions.push_back(cells + rows[back - 1]);
  }
  for (int64_t back = 1; back < horizon; ++back) {
    const auto found = tracked_.find(frame - back);
    if (found != tracked_.end()) add_pointer(back, found->second);
  }
  // All objects share the times of their pointers, and so the positions.
  const at::Tensor stacked = at::stack(pointers, 1);  // [N, P, C]
  const at::Tensor shared =
      network_->pointer_tokens(stacked[0], torch::tensor(times, torch::kDouble)).second;
  const at::Tensor tokens = stacked.reshape({objects, -1, options.memory_dim});
  memory.push_back(tokens);
  positions.push_back(shared.to(at::kFloat));
  for (at::Tensor& map : memory) map = map.to(at::kFloat);
  const at::Tensor out = network_->memory_attention(f2.flatten(2).transpose(1, 2),
                                                    network_->image_position(),
                                                    at::cat(memory, 1),
                                                    at::cat(positions, 0).unsqueeze(0),
                                                    tokens.size(1));
  return out.transpose(1, 2).reshape(f2.sizes());
}

}  // namespace voxloom::recipes::segment
