#include "voxloom/nn/constant_cache.h"

#include <torch/torch.h>

namespace voxloom::nn {
namespace {

// Few sizes are alive at a time; this bounds what a run over many sizes (or a training run,
// whose fingerprints change each step) leaves behind.
constexpr size_t kMaxEntries = 32;

}  // namespace

at::Tensor ConstantCache::get(const Key& key, const std::function<at::Tensor()>& make) {
  const std::lock_guard lock(mutex_);
  if (const auto it = tensors_.find(key); it != tensors_.end()) return it->second;
  // Made as ordinary tensors even inside an inference guard, so that training may use them too.
  const c10::InferenceMode ordinary(false);
  const torch::NoGradGuard no_grad;
  if (tensors_.size() >= kMaxEntries) tensors_.clear();
  return tensors_[key] = make();
}

void ConstantCache::append_fingerprint(Key& key, const at::Tensor& parameter) {
  key.push_back(reinterpret_cast<int64_t>(parameter.const_data_ptr()));
  key.push_back(parameter.is_inference() ? 0 : static_cast<int64_t>(parameter._version()));
  key.push_back(static_cast<int64_t>(parameter.device().type()));
  key.push_back(parameter.device().index());
  key.push_back(static_cast<int64_t>(parameter.scalar_type()));
}

}  // namespace voxloom::nn
