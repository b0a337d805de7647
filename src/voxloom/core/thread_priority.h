#pragma once

namespace voxloom {

/// Lets the calling thread step back behind threads of normal priority, so that a server's IO
/// threads answer while computations fill all cores. For good: an unprivileged process can't
/// raise a priority again. Threads that this thread starts later inherit it. Where the system
/// refuses, nothing changes.
void lower_thread_priority();

}  // namespace voxloom
