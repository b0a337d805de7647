#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "voxloom/core/cancel.h"
#include "voxloom/jobs/cohort.h"
#include "voxloom/jobs/queue.h"

namespace voxloom::jobs {

struct WorkOptions {
  int64_t workers = 1;                     ///< Cases at a time.
  std::chrono::milliseconds lease{60000};  ///< Renewed every third of it.
  std::chrono::milliseconds timeout{0};    ///< Of one case; 0: none.
  std::chrono::milliseconds poll{1000};    ///< Between looks at a queue with nothing to do.
  bool until_empty = false;                ///< End when no case waits or runs anywhere.
  bool replace = false;                    ///< Do cases whose output exists, too.
  std::vector<std::pair<std::string, std::string>> environment;  ///< For the commands.
};

/// What became of one attempt at a case.
struct CaseEvent {
  enum class Kind { kDone, kSkipped, kWillRetry, kFailed, kLostLease, kReturned };
  Kind kind = Kind::kDone;
  std::string name, message;
  double seconds = 0.0;
};
[[nodiscard]] std::string_view case_event_name(CaseEvent::Kind kind);

/// Called by one thread at a time.
using CaseSink = std::function<void(const CaseEvent&)>;

/// Works on the cases of a queue in options.workers threads until `stop`, or until it is empty. A
/// case that `stop` interrupts goes back to the queue. A case whose output exists counts as done.
/// Throws what the database throws, after its threads have ended.
void work_on_queue(Queue& queue,
                   const WorkOptions& options,
                   const CancelToken& stop,
                   const CaseSink& sink);

/// The same for a list of inputs, without a database: each is tried once.
void work_on_list(const CohortCommand& command,
                  const std::vector<CohortInput>& inputs,
                  const WorkOptions& options,
                  const CancelToken& stop,
                  const CaseSink& sink);

/// Cases of a queue that add() takes, and back.
[[nodiscard]] std::vector<QueueCase> to_cases(const std::vector<CohortInput>& inputs);

/// "host:pid", the name of a worker process.
[[nodiscard]] std::string worker_name();

}  // namespace voxloom::jobs
