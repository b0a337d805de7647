#pragma once

#include <chrono>
#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "voxloom/core/cancel.h"
#include "voxloom/core/progress.h"
#include "voxloom/train/averaged_weights.h"
#include "voxloom/train/distributed/communicator.h"
#include "voxloom/train/distributed/gradient_buckets.h"
#include "voxloom/train/distributed/step_report.h"
#include "voxloom/train/event_writer.h"
#include "voxloom/train/grad_scaler.h"
#include "voxloom/train/optimiser.h"
#include "voxloom/train/run.h"
#include "voxloom/train/task.h"
#include "voxloom/train/trainer_options.h"
#include "voxloom/train/training_state.h"

namespace voxloom::train {

/// Why a run ended.
enum class EndReason { kAllSteps, kNoBetterMetric, kCancelled };

struct FitResult {
  EndReason reason = EndReason::kAllSteps;
  int64_t steps = 0;      ///< Updates done.
  int64_t best_step = 0;  ///< 0: no validation took place.
  Metrics best_metrics;
  double items_per_s = 0.0;        ///< Over all steps, without validation; 0 without steps.
  double loader_wait_share = 0.0;  ///< Of the steps' time.
};

/// Trains a task's network into a run folder.
///
///     Run run = resume ? Run::resume(folder, info) : Run::create(folder, info, overwrite);
///     const FitResult result = Trainer(task, run, options).fit(progress, stop);
///
/// A run folder that has a checkpoint is taken up there, and gives the same parameters and the
/// same metrics.jsonl bit for bit as a run that was never stopped, at the same thread count. Global
/// random numbers (dropout) are seeded anew for every batch from the seed, epoch and batch.
///
/// Validation runs in float32, in eval mode, without gradients.
///
/// With a communicator this is one rank of a distributed training: its task gives its share of each
/// batch, the mean of the gradients moves the parameters, which stay the same bits on all ranks.
/// Rank 0 has the run folder, restores, validates and writes; the others get from it what it read
/// and measured, so every rank decides the same.
class Trainer {
 public:
  Trainer(Task& task, Run& run, const TrainerOptions& options);
  /// `run`: null on ranks other than 0. `ranks` may be null: one process.
  Trainer(Task& task, Run* run, const TrainerOptions& options, Communicator* ranks);
  ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  /// Trains to the end, or until `stop` is set: then a checkpoint is written and no model. At the
  /// end the network holds the best weights (averaged ones when there are any), and model/ and
  /// report.html are there.
  ///
  /// Throws kDataCorrupt naming the batch when a loss or gradient is not finite (checkpoints stay
  /// as they are), kInvalidArgument when validation lacks the watched metric, kUnavailable when
  /// the disk is full or a rank is lost; and what the task throws.
  FitResult fit(Progress& progress, const CancelToken& stop);

 private:
  using Clock = std::chrono::steady_clock;

  FitResult train(Progress& progress, const CancelToken& stop);
  void prepare();
  void restore();
  void read_checkpoint();
  void take_state_of_first_rank();
  void restore_counters();

  void train_step(Progress& progress);
  bool run_batches(int64_t count);
  void join_step();
  bool finish_gradients();
  void update_parameters();
  void begin_epoch_if_due(Progress& progress);

  void log_step(Progress& progress);
  void log_speed(Progress& progress);

  void check_stop(const CancelToken& stop) const;
  [[nodiscard]] bool validation_due() const;
  void validate(Progress& progress, const CancelToken& stop);
  [[nodiscard]] Metrics measure(Progress& progress, const CancelToken& stop);
  [[nodiscard]] Metrics measured_by_first_rank(Progress& progress, const CancelToken& stop);
  void judge(const Metrics& metrics);
  void log_validation(const Metrics& metrics);

  [[nodiscard]] bool checkpoint_due() const;
  void write_checkpoint();

  [[nodiscard]] std::optional<EndReason> ended() const;
  FitResult finish(EndReason reason);
  void load_best_weights();
  void write_run_report();

  [[nodiscard]] int64_t epoch() const { return state_.step / updates_per_epoch_; }
  [[nodiscard]] int64_t first_batch() const;
  [[nodiscard]] double learning_rate() const;
  [[nodiscard]] double elapsed_s() const;
  [[nodiscard]] std::string last_good_checkpoint() const;

  /// Rank 0, or the only process.
  [[nodiscard]] bool writes() const { return run_ != nullptr; }
  [[nodiscard]] NamedTensors all_tensors() const;

  Task& task_;
  Run* run_;  ///< Null on ranks that don't write.
  TrainerOptions options_;
  Communicator* ranks_;  ///< Null: one process.
  torch::nn::Module& network_;

  Optimiser optimiser_;
  GradScaler scaler_;
  std::unique_ptr<AveragedWeights> averaged_;  ///< Null: not asked for.
  std::unique_ptr<GradientBuckets> buckets_;   ///< Null: one process.
  std::unique_ptr<EventWriter> events_;        ///< Null on ranks that don't write.
  TrainingState state_;
  std::vector<Picture> pictures_;  ///< Of the last validation.

  int64_t batches_per_epoch_ = 0, updates_per_epoch_ = 0, total_steps_ = 0;
  int64_t begun_epoch_ = -1;      ///< The epoch that the task was told of.
  int64_t checkpoint_step_ = -1;  ///< Of the last checkpoint on disk; -1: none.
  bool unsaved_ = false;          ///< The state is newer than the checkpoint.
  StepReport report_;             ///< Of the present step; of all ranks once they are joined.
  StepReport own_report_;         ///< Of this rank, where there are several.
  const CancelToken* stop_ = nullptr;
  double last_lr_ = 0.0;           ///< Of the last update.
  double gradient_norm_ = 0.0;     ///< Of the present step, before clipping.
  double shown_loss_ = NAN;        ///< Of the last line.
  double elapsed_before_s_ = 0.0;  ///< In earlier processes.
  int64_t first_step_ = 0;         ///< Of this process.
  Clock::time_point start_, checkpoint_time_;
  double logged_step_s_ = 0.0, logged_wait_s_ = 0.0;  ///< At the last speed line.
  int64_t logged_items_ = 0;
};

}  // namespace voxloom::train
