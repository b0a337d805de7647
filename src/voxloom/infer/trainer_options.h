#pragma once

#include <cstdint>
#include <string>

#include "voxloom/core/options.h"

namespace voxloom::infer {

enum class OptimiserKind { kAdamW, kSgd, kRmsprop };
enum class ScheduleKind { kConstant, kCosine, kPoly, kOneCycle, kPlateau };
enum class Amp { kOff, kBf16, kFp16 };
enum class MetricMode { kMax, kMin };
/// How 4-D and 5-D weights, and so the maps of a network, lie in memory.
enum class MemoryFormat { kAuto, kContiguous, kChannelsLast };

/// How a network is trained. A step is one update of the parameters, made of `accumulation`
/// batches.
struct TrainerOptions {
  // Change the result.
  int64_t epochs = 100;
  int64_t max_steps = 0;  ///< Ends the run earlier; 0: after `epochs`.
  OptimiserKind optimiser = OptimiserKind::kAdamW;
  double lr = 1e-3;
  double weight_decay = 0.01;  ///< AdamW: decoupled; others: added to the gradient.
  double momentum = 0.9;       ///< SGD (Nesterov's) and RMSprop.
  double beta1 = 0.9, beta2 = 0.999;
  ScheduleKind schedule = ScheduleKind::kCosine;
  int64_t warmup_steps = 0;       ///< Steps of linear rise to the full rate.
  double min_lr_factor = 0.0;     ///< Where cosine and poly end, as a share of `lr`.
  double plateau_factor = 0.1;    ///< Plateau: multiplied in after `plateau_patience` validations.
  int64_t plateau_patience = 10;  ///< Plateau: validations without a better metric.
  Amp amp = Amp::kOff;
  double ema_decay = 0.0;  ///< Of the averaged weights; 0: none.
  double clip_norm = 0.0;  ///< Largest norm of the gradient; 0: no limit.
  int64_t accumulation = 1;
  std::string metric = "loss";  ///< The validation metric that decides what is best.
  MetricMode metric_mode = MetricMode::kMin;
  int64_t patience = 0;        ///< Ends the run after as many validations without a better metric.
  int64_t validate_every = 1;  ///< Epochs; 0: at the end only.
  int64_t seed = 0;
  int64_t threads = 0;  ///< Set from the common `--threads`, so visit() leaves it out.

  // Change only what is written and how fast it goes.
  int64_t log_every = 10;             ///< Steps a line of metrics.jsonl.
  double checkpoint_every_s = 300.0;  ///< Seconds; 0: not by time.
  int64_t checkpoint_every_steps = 0;
  bool histograms = true;  ///< Histograms of the weights in the event files.
  /// kAuto: channels last with AMP, where that is quicker on a CPU; in f32 it is slower.
  MemoryFormat memory_format = MemoryFormat::kAuto;
  double join_timeout_s = 120.0;  ///< Distributed: seconds for all processes to come.

  void visit(OptionList& list);
  [[nodiscard]] bool channels_last() const;
  /// Throws kInvalidArgument for rules across fields.
  void validate() const;
};

}  // namespace voxloom::infer
