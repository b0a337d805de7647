#pragma once

#include <string_view>
#include <vector>

#include "voxloom/tensor/key_diff.h"

namespace torch::nn {
class Module;
}

namespace voxloom::tensor {

/// Names and shapes of all parameters and buffers, each module's own before its children's.
[[nodiscard]] std::vector<NamedShape> named_shapes(const torch::nn::Module& module);

enum class LoadMode {
  kCopy,   ///< The network gets its own memory.
  kAlias,  ///< float32 tensors stay in the file's memory. Inference only, and only while nobody
           ///< truncates the file.
};

/// Loads every parameter and buffer, casting to the network's type.
/// Strict: throws kDataCorrupt that starts with `where` and names all missing, unexpected and
/// misshapen keys; then nothing was changed.
void load_state_dict(torch::nn::Module& module,
                     const weights::StateDict& state,
                     std::string_view where,
                     LoadMode mode = LoadMode::kCopy);

/// The values of `module` under their names.
[[nodiscard]] weights::StateDict state_dict(const torch::nn::Module& module);

}  // namespace voxloom::tensor
