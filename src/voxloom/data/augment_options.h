#pragma once

#include "voxloom/infer/augment_options.h"

namespace voxloom::data {

// As every option of a command, it lives in `infer`.
using infer::AugmentOptions;

}  // namespace voxloom::data
