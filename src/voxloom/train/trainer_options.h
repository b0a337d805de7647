#pragma once

#include "voxloom/infer/trainer_options.h"

namespace voxloom::train {

// The options of every command live in `infer`, where the command line sees them without the ML
// library.
using infer::Amp;
using infer::MemoryFormat;
using infer::MetricMode;
using infer::OptimiserKind;
using infer::ScheduleKind;
using infer::TrainerOptions;

}  // namespace voxloom::train
