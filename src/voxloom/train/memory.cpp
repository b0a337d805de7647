#include "voxloom/train/memory.h"

#include <climits>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace voxloom::train {

void keep_freed_memory() {
#if defined(__GLIBC__)
  // Blocks of their own (mmap) always go back when freed, so there are none.
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, INT_MAX);
  mallopt(M_TOP_PAD, 64 << 20);
#endif
}

}  // namespace voxloom::train
