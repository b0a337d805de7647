#pragma once

#include <nlohmann/json_fwd.hpp>

#include "voxloom/core/cancel.h"
#include "voxloom/core/progress.h"
#include "voxloom/infer/filter_options.h"

namespace voxloom::recipes::wire {

/// `voxloom wire filters`: runs every chain over the frames and measures what comes out, writes
/// report.html (one file, with pictures) and metrics.json; returns the latter.
///
/// data: a manifest (.jsonl) or a folder that a data-set reader knows gives labelled frames, in
/// order of sequence and frame; anything else is a video without labels, where CNR, CII and CIR are
/// absent. Chains start again with each sequence. Sealed samples are refused.
[[nodiscard]] nlohmann::ordered_json filter_report(const infer::FilterReportOptions& options,
                                                   Progress& progress,
                                                   const CancelToken& stop);

}  // namespace voxloom::recipes::wire
