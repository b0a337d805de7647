#pragma once

#include <functional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "voxloom/core/cancel.h"
#include "voxloom/core/progress.h"
#include "voxloom/infer/wire_options.h"

namespace voxloom::recipes::wire {

/// `voxloom wire track`: frames in, one JSON line a frame out (to `line`, without the end of line),
/// and the overlay video. Returns a summary: frames, states, latency per stage in ms (median, 95th
/// and 99th percentile, highest), frames a second. A live stream is cut short by `stop`; what was
/// written until then is kept.
[[nodiscard]] nlohmann::ordered_json track(const infer::WireTrackCommand& command,
                                           const std::function<void(const std::string& line)>& line,
                                           Progress& progress,
                                           const CancelToken& stop);

}  // namespace voxloom::recipes::wire
