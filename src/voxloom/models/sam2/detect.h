#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "voxloom/models/sam2/options.h"
#include "voxloom/weights/state_dict.h"

namespace voxloom::models::sam2 {

/// Names of the known variants whose image trunk has the widths and depths found in `state`.
/// Looks at a few keys only, so that a damaged file still finds its variant and the strict check
/// can then say what is wrong with it.
[[nodiscard]] std::vector<std::string> matching_variants(const weights::StateDict& state);

/// The architecture of a checkpoint.
///
/// `variant` (may be empty) decides when it is given. Otherwise keys and shapes do; MedSAM2 and
/// SAM 2.1 tiny have the same ones, so there the file name decides: one with "medsam2" is
/// medsam2_t512, one with "sam2.1" is sam2.1_t. Throws kInvalidArgument, naming both, when that
/// leaves it open, and kUnsupported when no variant fits.
[[nodiscard]] Sam2Options detect_options(const weights::StateDict& state,
                                         std::string_view variant,
                                         std::string_view file_name);

/// Missing, unexpected and misshapen keys of `state`, without building a network.
[[nodiscard]] tensor::KeyDiff check_keys(const Sam2Options& options,
                                         const weights::StateDict& state);

}  // namespace voxloom::models::sam2
