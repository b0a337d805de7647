#include "voxloom/train/task.h"

namespace voxloom::train {

std::vector<ParameterGroup> Task::parameter_groups() {
  return {ParameterGroup{.parameters = network().parameters()}};
}

}  // namespace voxloom::train
