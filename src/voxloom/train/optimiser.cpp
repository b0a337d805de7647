#include "voxloom/train/optimiser.h"

#include <map>

#include "voxloom/core/error.h"

namespace voxloom::train {
namespace {

constexpr double kEpsilon = 1e-8;      // of AdamW and RMSprop
constexpr double kSquareDecay = 0.99;  // RMSprop's smoothing constant

std::map<const void*, std::string> names_of(const torch::nn::Module& network) {
  std::map<const void*, std::string> names;
  for (const auto& item : network.named_parameters()) {
    names[item.value().unsafeGetTensorImpl()] = item.key();
  }
  return names;
}

}  // namespace

Optimiser::Optimiser(const TrainerOptions& options,
                     const torch::nn::Module& network,
                     const std::vector<ParameterGroup>& groups)
    : options_(options) {
  auto names = names_of(network);
  std::map<const void*, bool> taken;
  int64_t count = 0;
  for (const ParameterGroup& group : groups) {
    Group& own = groups_.emplace_back();
    own.lr_factor = group.lr_factor;
    own.weight_decay_factor = group.weight_decay_factor;
    for (const at::Tensor& parameter : group.parameters) {
      const void* key = parameter.unsafeGetTensorImpl();
      const std::string name = names.contains(key) ? names[key] : format("extra.{}", count);
      VOXLOOM_CHECK(!std::exchange(taken[key], true),
                    ErrorCode::kInvalidArgument,
                    "optimiser: a parameter must be in one group, got '{}' twice",
                    name);
      VOXLOOM_CHECK(parameter.is_leaf() && parameter.requires_grad(),
                    ErrorCode::kInvalidArgument,
                    "optimiser: a parameter must take a gradient, got '{}' without",
                    name);
      Slot slot{.name = name, .parameter = parameter};
      const torch::NoGradGuard no_grad;
      slot.first = torch::zeros_like(parameter);
      if (options_.optimiser != OptimiserKind::kSgd) slot.second = torch::zeros_like(parameter);
      own.slots.push_back(std::move(slot));
      ++count;
    }
  }
  VOXLOOM_CHECK(count > 0,
                ErrorCode::kInvalidArgument,
                "optimiser: the network must have parameters, got none");
  steps_ = torch::zeros({count},
                        groups_.front().slots.empty()
                            ? torch::kCPU
                            : groups_.front().slots.front().parameter.device());
  int64_t index = 0;
  for (Group& group : groups_) {
    for (Slot& slot : group.slots) slot.steps = steps_.select(0, index++);
  }
}

void Optimiser::step(double lr) {
  const torch::NoGradGuard no_grad;
  for (Group& group : groups_) step_group(group, lr * group.lr_factor);
}

void Optimiser::step_group(Group& group, double lr) {
  const double weight_decay = options_.weight_decay * group.weight_decay_factor;
  std::vector<at::Tensor> parameters, gradients, first, second, steps;
  for (Slot& slot : group.slots) {
    at::Tensor gradient = slot.parameter.grad();
    if (!gradient.defined()) continue;
    // The fused kernels walk all arrays side by side in memory.
    if (gradient.strides() != slot.parameter.strides()) {
      gradient = torch::empty_like(slot.parameter).copy_(gradient);
    }
    parameters.push_back(slot.parameter);
    gradients.push_back(gradient);
    first.push_back(slot.first);
    second.push_back(slot.second);
    steps.push_back(slot.steps);
    slot.steps.add_(1);
    if (options_.optimiser == OptimiserKind::kRmsprop) {
      step_rmsprop(slot, gradient, lr, weight_decay);
    }
  }
  if (parameters.empty()) return;
  if (options_.optimiser == OptimiserKind::kAdamW) {
    at::_fused_adamw_(parameters,
                      gradients,
                      first,
                      second,
                      {},
                      steps,
                      lr,
                      options_.beta1,
                      options_.beta2,
                      weight_decay,
                      kEpsilon,
                      /*amsgrad=*/false,
                      /*maximize=*/false);
  } else if (options_.optimiser == OptimiserKind::kSgd) {
    // A buffer of zeros makes the first step the same as torch's special first step.
    at::_fused_sgd_(parameters,
                    gradients,
                    options_.momentum > 0 ? first : std::vector<at::Tensor>{},
                    weight_decay,
                    options_.momentum,
                    lr,
                    /*dampening=*/0.0,
                    /*nesterov=*/options_.momentum > 0,
                    /*maximize=*/false,
                    /*is_first_step=*/false);
  }
}

void Optimiser::step_rmsprop(Slot& slot,
                             const at::Tensor& gradient,
                             double lr,
                             double weight_decay) const {
  const at::Tensor g = weight_decay > 0 ? gradient.add(slot.parameter, weight_decay) : gradient;
  slot.second.mul_(kSquareDecay).addcmul_(g, g, 1.0 - kSquareDecay);
  slot.first.mul_(options_.momentum).addcdiv_(g, slot.second.sqrt().add_(kEpsilon));
  slot.parameter.add_(slot.first, -lr);
}

void Optimiser::clear_gradients() {
  for (Group& group : groups_) {
    for (Slot& slot : group.slots) slot.parameter.mutable_grad() = at::Tensor();
  }
}

std::vector<at::Tensor> Optimiser::parameters() const {
  std::vector<at::Tensor> list;
  for (const Group& group : groups_) {
    for (const Slot& slot : group.slots) list.push_back(slot.parameter);
  }
  return list;
}

std::vector<at::Tensor> Optimiser::gradients() const {
  std::vector<at::Tensor> list;
  for (const Group& group : groups_) {
    for (const Slot& slot : group.slots) {
      if (slot.parameter.grad().defined()) list.push_back(slot.parameter.grad());
    }
  }
  return list;
}

NamedTensors Optimiser::state() const {
  NamedTensors list{{"steps", steps_}};
  for (const Group& group : groups_) {
    for (const Slot& slot : group.slots) {
      list.emplace_back("first." + slot.name, slot.first);
      if (slot.second.defined()) list.emplace_back("second." + slot.name, slot.second);
    }
  }
  return list;
}

}  // namespace voxloom::train
