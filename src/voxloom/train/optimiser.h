#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <torch/torch.h>

#include "voxloom/train/named_tensors.h"
#include "voxloom/train/task.h"
#include "voxloom/train/trainer_options.h"

namespace voxloom::train {

/// AdamW (Loshchilov and Hutter, arXiv:1711.05101), SGD with Nesterov's momentum, RMSprop with
/// momentum: the update rules of torch.optim with their default epsilon and damping, in one fused
/// pass over each parameter where libtorch has it, and with a state that has names.
///
/// Gradients stay where they are (`.grad`). A parameter without gradient is left alone.
class Optimiser {
 public:
  /// State begins at zero. Throws kInvalidArgument when the groups hold no parameter, one that
  /// needs no gradient, or the same one twice.
  Optimiser(const TrainerOptions& options,
            const torch::nn::Module& network,
            const std::vector<ParameterGroup>& groups);

  /// One update with the learning rate `lr` times each group's factor.
  void step(double lr);
  /// Drops all gradients.
  void clear_gradients();
  /// All parameters, in the order of the groups.
  [[nodiscard]] std::vector<at::Tensor> parameters() const;
  /// The gradients there are, in the order of the groups.
  [[nodiscard]] std::vector<at::Tensor> gradients() const;

  /// Names "steps", "first.<parameter>", "second.<parameter>": for checkpoints, to be read or
  /// copied into.
  [[nodiscard]] NamedTensors state() const;

 private:
  struct Slot {
    std::string name;
    at::Tensor parameter;
    at::Tensor first, second;  ///< Means (AdamW), momentum buffer and mean square (others).
    at::Tensor steps;          ///< Updates so far: a view of one element of steps_.
  };
  struct Group {
    std::vector<Slot> slots;
    double lr_factor = 1.0, weight_decay_factor = 1.0;
  };
  void step_group(Group& group, double lr);
  void step_rmsprop(Slot& slot, const at::Tensor& gradient, double lr, double weight_decay) const;

  TrainerOptions options_;
  std::vector<Group> groups_;
  at::Tensor steps_;  ///< [number of parameters] float32
};

}  // namespace voxloom::train
