#pragma once

#include <string>

#include "voxloom/core/options.h"

namespace voxloom::infer {

/// Which augmentations run: a named set, its parts scaled by `strength`.
struct AugmentOptions {
  std::string set = "none";  ///< none, nnunet (guidewire.md 5.1), fluoroscopy (5.2).
  double strength = 1.0;     ///< Multiplies the probabilities; 0 switches all off.

  void visit(OptionList& list);
  void validate() const;
};

}  // namespace voxloom::infer
