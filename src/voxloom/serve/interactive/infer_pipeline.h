#pragma once

#include <chrono>

#include "voxloom/core/progress.h"
#include "voxloom/serve/interactive/infer_service.h"
#include "voxloom/serve/interactive/session_pool.h"

namespace voxloom::serve {

/// The four stages in order: read prompts, run, post-process, write. `waited_s` is the time in the
/// queue, for `latencies`. `origin` gets where the session came from; blank answers need none.
/// On the pool's thread. Throws what InferService::run says.
[[nodiscard]] InferOutcome run_pipeline(const ServedModel& model,
                                        const InferTask& task,
                                        SessionPool& pool,
                                        Progress& progress,
                                        const CancelToken& stop,
                                        double waited_s,
                                        std::optional<SessionPool::Origin>& origin);

/// Opens the image and makes what a first click needs: the middle slice first, then its
/// neighbours. Returns false when there is no room, or nothing left to do, before it began.
/// Throws kCancelled (what was made so far is kept) and what opening the image throws.
bool run_ahead(const ServedModel& model,
               const InferTask& task,
               SessionPool& pool,
               const CancelToken& stop);

}  // namespace voxloom::serve
