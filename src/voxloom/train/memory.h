#pragma once

namespace voxloom::train {

/// Lets the C library keep freed memory for the rest of the process: every step frees and asks for
/// the same large maps, and giving them to the system in between costs a page fault per 4 KB, a
/// quarter of a step of a light network on a CPU. Does nothing where the C library isn't glibc.
void keep_freed_memory();

}  // namespace voxloom::train
