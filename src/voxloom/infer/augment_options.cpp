#include "voxloom/infer/augment_options.h"

#include <algorithm>

#include "voxloom/core/error.h"

namespace voxloom::infer {
namespace {

const std::vector<std::string>& set_names() {
  static const std::vector<std::string> names = {"none", "nnunet", "fluoroscopy"};
  return names;
}

}  // namespace

void AugmentOptions::visit(OptionList& list) {
  list.option("--augment", set, "Which augmentations run on training crops.")
      .with_choices(set_names());
  list.option("--augment-strength",
              strength,
              "Multiplies the probability of every augmentation; 0: none runs.")
      .with_range(0, 4);
}

void AugmentOptions::validate() const {
  VOXLOOM_CHECK(std::ranges::count(set_names(), set) == 1,
                ErrorCode::kInvalidArgument,
                "augment: must be none, nnunet or fluoroscopy, got '{}'",
                set);
  VOXLOOM_CHECK(strength >= 0.0 && strength <= 4.0,
                ErrorCode::kInvalidArgument,
                "augment strength: must be within [0, 4], got {}",
                strength);
}

}  // namespace voxloom::infer
