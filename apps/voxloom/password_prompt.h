#pragma once

#include <string>

namespace voxloom::app {

/// A new password: asked twice on the terminal without echo, or the first line of standard input
/// where that is no terminal. Throws kInvalidArgument when the two differ or none comes.
[[nodiscard]] std::string ask_new_password();

}  // namespace voxloom::app
