#include "voxloom/nn/loss_ranks.h"

#include <utility>

#include <torch/torch.h>

namespace voxloom::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

thread_local const SumOverRanks* t_sum = nullptr;

/// Carries the function from the forward pass to the backward pass.
struct Summer : torch::CustomClassHolder {
  explicit Summer(SumOverRanks function) : sum(std::move(function)) {}
  SumOverRanks sum;
};

/// s = sum over ranks of x. Every rank's loss depends on every rank's x, so the gradient of x is
/// the sum over ranks of the gradients of s.
class RankSum : public torch::autograd::Function<RankSum> {
 public:
  static at::Tensor forward(AutogradContext* context,
                            const at::Tensor& x,
                            const c10::intrusive_ptr<Summer>& summer) {
    context->saved_data["sum"] = c10::IValue::make_capsule(summer);
    const at::Tensor total = x.detach().clone();
    summer->sum(total);
    return total;
  }

  static variable_list backward(AutogradContext* context, variable_list outputs) {
    const at::Tensor total = outputs[0].contiguous().clone();
    c10::static_intrusive_pointer_cast<Summer>(context->saved_data["sum"].toCapsule())->sum(total);
    return {total, {}};
  }
};

}  // namespace

LossesOverRanks::LossesOverRanks(const SumOverRanks& sum) : before_(t_sum) {
  t_sum = sum ? &sum : nullptr;
}

LossesOverRanks::~LossesOverRanks() {
  t_sum = before_;
}

std::vector<at::Tensor> over_ranks(std::vector<at::Tensor> sums) {
  if (t_sum == nullptr) return sums;
  return RankSum::apply(at::stack(sums), c10::make_intrusive<Summer>(*t_sum)).unbind();
}

}  // namespace voxloom::nn
