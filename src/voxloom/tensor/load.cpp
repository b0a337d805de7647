#include "voxloom/tensor/load.h"

#include <torch/torch.h>

#include "voxloom/core/error.h"
#include "voxloom/tensor/view.h"

namespace voxloom::tensor {
namespace {

/// Parameters and buffers of `module` and below under their full names.
std::vector<std::pair<std::string, at::Tensor>> named_tensors(const torch::nn::Module& module,
                                                              const std::string& prefix) {
  std::vector<std::pair<std::string, at::Tensor>> list;
  for (const auto& item : module.named_parameters(/*recurse=*/false)) {
    list.emplace_back(prefix + item.key(), item.value());
  }
  for (const auto& item : module.named_buffers(/*recurse=*/false)) {
    list.emplace_back(prefix + item.key(), item.value());
  }
  for (const auto& child : module.named_children()) {
    for (auto& item : named_tensors(*child.value(), prefix + child.key() + ".")) {
      list.push_back(std::move(item));
    }
  }
  return list;
}

}  // namespace

std::vector<NamedShape> named_shapes(const torch::nn::Module& module) {
  std::vector<NamedShape> shapes;
  for (const auto& [name, value] : named_tensors(module, "")) {
    shapes.push_back({name, value.sizes().vec()});
  }
  return shapes;
}

void load_state_dict(torch::nn::Module& module,
                     const weights::StateDict& state,
                     std::string_view where,
                     LoadMode mode) {
  const KeyDiff diff = diff_keys(named_shapes(module), state);
  VOXLOOM_CHECK(diff.empty(),
                ErrorCode::kDataCorrupt,
                "{}: the keys must fit the network, got {}",
                where,
                diff.describe());
  const torch::NoGradGuard no_grad;
  for (auto& [name, target] : named_tensors(module, "")) {
    const at::Tensor source = from_view(*state.find(name));
    if (mode == LoadMode::kAlias && source.scalar_type() == target.scalar_type() &&
        target.device().is_cpu()) {
      target.set_data(source);
    } else {
      target.copy_(source);
    }
  }
}

weights::StateDict state_dict(const torch::nn::Module& module) {
  weights::StateDict state;
  for (const auto& [name, value] : named_tensors(module, "")) state.add(name, to_view(value));
  return state;
}

}  // namespace voxloom::tensor
