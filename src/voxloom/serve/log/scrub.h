#pragma once

#include <string>
#include <string_view>

namespace voxloom::serve {

/// Free text made fit for the log: what stands in quotes (names of things do, in messages of this
/// program) becomes '...', words that look like paths become <path>, control characters
/// become spaces, and it is cut at 500 bytes.
[[nodiscard]] std::string scrubbed(std::string_view text);

}  // namespace voxloom::serve
