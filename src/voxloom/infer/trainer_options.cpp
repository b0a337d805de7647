#include "voxloom/infer/trainer_options.h"

#include "voxloom/core/error.h"

namespace voxloom::infer {

void TrainerOptions::visit(OptionList& list) {
  constexpr double kMany = 1e12;
  list.option("--epochs", epochs, "Passes over the training data.").with_range(1, 1e9);
  list.option("--max-steps", max_steps, "End after this many updates, 0: after the last epoch.")
      .with_range(0, kMany);
  list.choice("--optimiser",
              optimiser,
              {"adamw", "sgd", "rmsprop"},
              "Update rule; sgd is with Nesterov's momentum.");
  list.option("--lr", lr, "Learning rate, at its highest.").with_range(0, 1e3);
  list.option("--weight-decay", weight_decay, "Weight decay, decoupled in adamw.")
      .with_range(0, 1e3);
  list.option("--momentum", momentum, "Momentum of sgd and rmsprop.").with_range(0, 1);
  list.option("--beta1", beta1, "Decay of adamw's mean of the gradient.").with_range(0, 1);
  list.option("--beta2", beta2, "Decay of adamw's mean of the squared gradient.").with_range(0, 1);
  list.choice("--schedule",
              schedule,
              {"constant", "cosine", "poly", "one-cycle", "plateau"},
              "Course of the learning rate; poly has the power 0.9.");
  list.option("--warmup-steps", warmup_steps, "Updates of linear rise to the full rate.")
      .with_range(0, kMany);
  list.option("--min-lr-factor", min_lr_factor, "Share of the rate that cosine and poly end with.")
      .with_range(0, 1);
  list.option("--plateau-factor", plateau_factor, "What plateau multiplies the rate with.")
      .with_range(0, 1);
  list.option("--plateau-patience",
              plateau_patience,
              "Validations without a better metric before plateau lowers the rate.")
      .with_range(1, kMany);
  list.choice("--amp",
              amp,
              {"off", "bf16", "fp16"},
              "Precision of the forward pass; fp16 scales the loss.");
  list.option("--ema-decay", ema_decay, "Decay of the averaged weights (0.999), 0: none.")
      .with_range(0, 1);
  list.option("--clip-norm", clip_norm, "Largest norm of the gradient, 0: no limit.")
      .with_range(0, kMany);
  list.option("--accumulation", accumulation, "Batches an update.").with_range(1, 1e6);
  list.option("--metric", metric, "Validation metric that decides which weights are best.");
  list.choice(
      "--metric-mode", metric_mode, {"max", "min"}, "Whether more or less of it is better.");
  list.option("--patience",
              patience,
              "End after this many validations without a better metric, 0: never.")
      .with_range(0, kMany);
  list.option("--validate-every", validate_every, "Epochs between validations, 0: at the end only.")
      .with_range(0, kMany);
  list.option("--seed", seed, "Seed of every random number.");
  list.option("--log-every", log_every, "Updates a line of metrics.jsonl.").with_range(1, kMany);
  list.option("--checkpoint-every-s", checkpoint_every_s, "Seconds between checkpoints, 0: off.")
      .with_range(0, kMany)
      .as_speed_only();
  list.option("--checkpoint-every-steps", checkpoint_every_steps, "The same in updates, 0: off.")
      .with_range(0, kMany)
      .as_speed_only();
  list.option("--histograms", histograms, "Histograms of the weights in the event files.")
      .as_speed_only();
  list.choice("--memory-format",
              memory_format,
              {"auto", "contiguous", "channels-last"},
              "How maps lie in memory; auto: channels last with --amp.");
  list.option("--join-timeout-s",
              join_timeout_s,
              "Seconds within which all processes of a distributed training must come.")
      .with_range(1, 86400)
      .as_speed_only();
}

bool TrainerOptions::channels_last() const {
  return memory_format == MemoryFormat::kChannelsLast ||
         (memory_format == MemoryFormat::kAuto && amp != Amp::kOff);
}

void TrainerOptions::validate() const {
  VOXLOOM_CHECK(beta1 < 1 && beta2 < 1,
                ErrorCode::kInvalidArgument,
                "--beta1, --beta2: must be below 1, got {} and {}",
                beta1,
                beta2);
  VOXLOOM_CHECK(ema_decay < 1,
                ErrorCode::kInvalidArgument,
                "--ema-decay: must be below 1, got {}",
                ema_decay);
  VOXLOOM_CHECK(lr > 0, ErrorCode::kInvalidArgument, "--lr: must be above 0, got {}", lr);
  VOXLOOM_CHECK(!metric.empty(),
                ErrorCode::kInvalidArgument,
                "--metric: must name a validation metric, got nothing");
  VOXLOOM_CHECK(validate_every > 0 || (patience == 0 && schedule != ScheduleKind::kPlateau),
                ErrorCode::kInvalidArgument,
                "--patience and --schedule plateau: need --validate-every above 0, got 0");
  VOXLOOM_CHECK(schedule != ScheduleKind::kOneCycle || warmup_steps == 0,
                ErrorCode::kInvalidArgument,
                "--warmup-steps: must be 0 with --schedule one-cycle, which has its own rise, "
                "got {}",
                warmup_steps);
}

}  // namespace voxloom::infer
