#pragma once

namespace voxloom::serve {

/// Starts libsodium once. Throws kUnavailable. Every function that uses it calls this first.
void sodium_ready();

}  // namespace voxloom::serve
