#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "voxloom/serve/sampling/strategy.h"

namespace voxloom::serve {

/// By chance; the weight of an image is the number of seconds since this strategy last served it.
/// When all weights are 0 (all were served within this second) every image is as likely. The
/// answer's `weight` is that of the chosen image.
[[nodiscard]] std::unique_ptr<Strategy> make_random_strategy(uint64_t seed);
/// The first and the last image by id.
[[nodiscard]] std::unique_ptr<Strategy> make_first_strategy();
[[nodiscard]] std::unique_ptr<Strategy> make_last_strategy();

}  // namespace voxloom::serve
