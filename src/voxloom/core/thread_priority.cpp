#include "voxloom/core/thread_priority.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace voxloom {

void lower_thread_priority() {
  constexpr int kNice = 10;
  // On Linux a nice value belongs to a thread; its id stands for the process id.
  const auto id = static_cast<id_t>(::syscall(SYS_gettid));
  if (::getpriority(PRIO_PROCESS, id) < kNice) ::setpriority(PRIO_PROCESS, id, kNice);
}

}  // namespace voxloom
