#pragma once

#include <filesystem>

#include "voxloom/serve/datastore/datastore.h"

namespace voxloom::serve {

/// Mean Dice over the values of `truth` (1 for two empty labels); null for labels on different
/// grids. Throws what reading the files throws.
[[nodiscard]] Json dice_of_files(const std::filesystem::path& truth,
                                 const std::filesystem::path& predicted);

/// The methods of `POST /scoring/{method}`, as `scoring` of `/info`. `dice`: the overlap of the
/// `original` label with the `final` one, for every image that has both.
[[nodiscard]] Json scoring_methods();

}  // namespace voxloom::serve
