#include "voxloom/train/trainer.h"

#include <algorithm>
#include <cmath>

#include "voxloom/core/error.h"
#include "voxloom/core/log.h"
#include "voxloom/core/parallel.h"
#include "voxloom/core/random.h"
#include "voxloom/nn/synchronised_norm.h"
#include "voxloom/tensor/autocast.h"
#include "voxloom/train/checkpoint.h"
#include "voxloom/train/gradients.h"
#include "voxloom/train/memory.h"
#include "voxloom/train/run_report.h"
#include "voxloom/train/schedule.h"
#include "voxloom/train/weight_histograms.h"

namespace voxloom::train {
namespace {

std::optional<at::ScalarType> autocast_type(Amp amp) {
  switch (amp) {
    case Amp::kOff:
      return std::nullopt;
    case Amp::kBf16:
      return at::kBFloat16;
    case Amp::kFp16:
      return at::kHalf;
  }
  return std::nullopt;
}

double seconds_between(std::chrono::steady_clock::time_point a,
                       std::chrono::steady_clock::time_point b) {
  return std::chrono::duration<double>(b - a).count();
}

/// The seed of everything random in one batch. Ranks drop out different things.
uint64_t batch_seed(int64_t seed, int64_t epoch, int64_t batch, int64_t rank) {
  const uint64_t stream = static_cast<uint64_t>(rank) << 48 ^ static_cast<uint64_t>(epoch) << 32 ^
                          static_cast<uint64_t>(batch);
  return Rng(static_cast<uint64_t>(seed), stream).next();
}

void keep_channels_together(torch::nn::Module& network) {
  for (at::Tensor& parameter : network.parameters()) {
    if (parameter.dim() == 4) {
      parameter.set_data(parameter.detach().contiguous(at::MemoryFormat::ChannelsLast));
    } else if (parameter.dim() == 5) {
      parameter.set_data(parameter.detach().contiguous(at::MemoryFormat::ChannelsLast3d));
    }
  }
}

/// Before the optimiser makes its state, which has the parameters' layout.
torch::nn::Module& prepared_network(Task& task, const TrainerOptions& options) {
  options.validate();
  if (options.channels_last()) keep_channels_together(task.network());
  return task.network();
}

/// `parameters` as the network lists them, which is about the order they are used in.
std::vector<at::Tensor> in_order_of_use(const torch::nn::Module& network,
                                        const std::vector<at::Tensor>& parameters) {
  std::vector<at::Tensor> ordered;
  const auto has = [](const std::vector<at::Tensor>& list, const at::Tensor& one) {
    return std::any_of(list.begin(), list.end(), [&](const auto& t) { return t.is_same(one); });
  };
  for (const at::Tensor& parameter : network.parameters()) {
    if (has(parameters, parameter)) ordered.push_back(parameter);
  }
  for (const at::Tensor& parameter : parameters) {
    if (!has(ordered, parameter)) ordered.push_back(parameter);
  }
  return ordered;
}

std::string clock_text(double seconds) {
  const auto whole = static_cast<int64_t>(seconds);
  return format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

}  // namespace

Trainer::Trainer(Task& task, Run& run, const TrainerOptions& options)
    : Trainer(task, &run, options, nullptr) {}

Trainer::Trainer(Task& task, Run* run, const TrainerOptions& options, Communicator* ranks)
    : task_(task),
      run_(run),
      options_(options),
      ranks_(ranks),
      network_(prepared_network(task, options)),
      optimiser_(options, network_, task.parameter_groups()),
      scaler_(options.amp == Amp::kFp16) {
  if (options_.ema_decay > 0) {
    averaged_ = std::make_unique<AveragedWeights>(network_, options_.ema_decay);
  }
  VOXLOOM_ASSERT(writes() == (ranks_ == nullptr || ranks_->rank() == 0));
  if (ranks_ == nullptr) return;
  buckets_ = std::make_unique<GradientBuckets>(in_order_of_use(network_, optimiser_.parameters()),
                                               *ranks_);
  nn::synchronise_batch_norms(network_, [this](const at::Tensor& sums) { ranks_->sum(sums); });
}

Trainer::~Trainer() {
  if (ranks_ != nullptr) nn::synchronise_batch_norms(network_, {});
}

FitResult Trainer::fit(Progress& progress, const CancelToken& stop) {
  return together(ranks_, [&] { return train(progress, stop); });
}

FitResult Trainer::train(Progress& progress, const CancelToken& stop) {
  stop_ = &stop;
  prepare();
  restore();
  for (;;) {
    try {
      if (validation_due()) validate(progress, stop);
      check_stop(stop);
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kCancelled) throw;
      progress.end();
      write_checkpoint();
      return finish(EndReason::kCancelled);
    }
    const std::optional<EndReason> end = ended();
    if ((end && unsaved_) || checkpoint_due()) write_checkpoint();
    if (end) return finish(*end);
    train_step(progress);
  }
}

void Trainer::prepare() {
  keep_freed_memory();
  at::set_num_threads(options_.threads > 0 ? static_cast<int>(options_.threads) : thread_budget());
  batches_per_epoch_ = task_.steps_per_epoch();
  VOXLOOM_CHECK(batches_per_epoch_ > 0,
                ErrorCode::kInvalidArgument,
                "training: the data must give at least one batch an epoch, got {}",
                batches_per_epoch_);
  updates_per_epoch_ = (batches_per_epoch_ + options_.accumulation - 1) / options_.accumulation;
  total_steps_ = options_.epochs * updates_per_epoch_;
  if (options_.max_steps > 0) total_steps_ = std::min(total_steps_, options_.max_steps);
}

void Trainer::restore() {
  start_ = checkpoint_time_ = Clock::now();
  if (writes()) read_checkpoint();
  if (ranks_ != nullptr) take_state_of_first_rank();
  if (state_.step > 0) {
    VOXLOOM_LOG_INFO("training: goes on after step {} of {}", state_.step, total_steps_);
  }
  first_step_ = state_.step;
  elapsed_before_s_ = state_.elapsed_s;
  logged_step_s_ = state_.step_s;
  logged_wait_s_ = state_.loader_wait_s;
  logged_items_ = state_.items;
  if (!writes()) return;
  events_ = std::make_unique<EventWriter>(run_->folder(), first_step_ + (first_step_ > 0 ? 1 : 0));
  if (first_step_ == 0) events_->text("options", options_markdown(run_->info()), 0);
}

void Trainer::read_checkpoint() {
  if (!std::filesystem::exists(run_->last_checkpoint())) {
    run_->metrics().truncate(0);
    return;
  }
  const CheckpointFile file(run_->last_checkpoint());
  TrainingState state = TrainingState::from_json(file.state(), run_->last_checkpoint().string());
  file.copy_to("network", named_tensors(network_));
  file.copy_to("optimiser", optimiser_.state());
  if (averaged_ != nullptr) file.copy_to("ema", averaged_->averages());
  run_->metrics().truncate(state.metrics_bytes);
  state_ = std::move(state);
  checkpoint_step_ = state_.step;
  // The run may have been killed between the two files.
  if (state_.best_step == state_.step && state_.step > 0) run_->keep_last_as_best();
  restore_counters();
}

/// Parameters, buffers, the optimiser's and the averaged tensors, and all counters: those of a
/// checkpoint, or those of the start.
void Trainer::take_state_of_first_rank() {
  broadcast_tensors(*ranks_, all_tensors());
  const std::string state = broadcast_text(*ranks_, state_.to_json().dump());
  if (writes()) return;
  state_ = TrainingState::from_json(nlohmann::ordered_json::parse(state), "rank 0");
  restore_counters();
}

void Trainer::restore_counters() {
  if (state_.step == 0) return;
  if (averaged_ != nullptr) averaged_->set_updates(state_.averaged_updates);
  scaler_.restore(state_.loss_scale, state_.loss_scale_good_steps);
}

NamedTensors Trainer::all_tensors() const {
  NamedTensors all = named_tensors(network_);
  const auto add = [&](const NamedTensors& more) {
    all.insert(all.end(), more.begin(), more.end());
  };
  add(optimiser_.state());
  if (averaged_ != nullptr) add(averaged_->averages());
  return all;
}

void Trainer::train_step(Progress& progress) {
  begin_epoch_if_due(progress);
  const auto start = Clock::now();
  const int64_t batches = std::min(options_.accumulation, batches_per_epoch_ - first_batch());
  last_lr_ = learning_rate();
  bool finite = run_batches(batches);
  if (ranks_ != nullptr) join_step();
  finite = (finite || ranks_ != nullptr) && finish_gradients();
  if (finite) {
    update_parameters();
  } else {
    if (ranks_ != nullptr) report_.batches = exchange_batches(*ranks_, own_report_);
    VOXLOOM_CHECK(scaler_.can_shrink(),
                  ErrorCode::kDataCorrupt,
                  "training: loss and gradient must be finite, got a loss of {}{} at step {} "
                  "(epoch {}, {}); {}",
                  report_.loss,
                  std::isfinite(report_.loss)
                      ? format(" with a gradient of norm {}", gradient_norm_)
                      : std::string(),
                  state_.step + 1,
                  epoch() + 1,
                  report_.batches,
                  last_good_checkpoint());
    ++state_.skipped_steps;
  }
  state_.items += report_.items;
  optimiser_.clear_gradients();
  scaler_.update(finite);
  ++state_.step;
  unsaved_ = true;
  state_.step_s += seconds_between(start, Clock::now());
  progress.advance(1);
  log_step(progress);
  if (state_.step % updates_per_epoch_ == 0 || state_.step == total_steps_) progress.end();
}

void Trainer::begin_epoch_if_due(Progress& progress) {
  if (begun_epoch_ == epoch()) return;
  begun_epoch_ = epoch();
  network_.train();
  task_.begin_epoch(begun_epoch_, options_.epochs, first_batch());
  const int64_t first = begun_epoch_ * updates_per_epoch_;
  progress.begin(format("epoch {}/{}", begun_epoch_ + 1, options_.epochs),
                 std::min(updates_per_epoch_, total_steps_ - first));
  progress.advance(state_.step - first);
}

/// Forward and backward passes of the batches of one step: adds the mean of their gradients to the
/// parameters'. False when a loss was not finite.
bool Trainer::run_batches(int64_t count) {
  bool finite = true;
  report_ = {};
  const c10::DeviceType device = network_.parameters().front().device().type();
  for (int64_t i = 0; i < count; ++i) {
    torch::manual_seed(batch_seed(
        options_.seed, epoch(), first_batch() + i, ranks_ != nullptr ? ranks_->rank() : 0));
    Step step;
    {
      const tensor::Autocast autocast(autocast_type(options_.amp), device);
      step = task_.step();
    }
    VOXLOOM_CHECK(step.loss.defined() && step.loss.numel() == 1 &&
                      step.loss.scalar_type() == at::kFloat && step.loss.requires_grad(),
                  ErrorCode::kInternal,
                  "training: a loss must be one float32 number with gradient, got {}",
                  report_.batches);
    report_.batches += format("{}batch '{}'", report_.batches.empty() ? "" : ", ", step.batch);
    report_.items += step.items;
    state_.loader_wait_s += step.loader_wait_s;
    const auto loss = step.loss.item<double>();
    report_.loss += loss / static_cast<double>(count);
    finite = finite && std::isfinite(loss);
    if (buckets_ != nullptr && i + 1 == count) buckets_->arm();
    // All ranks go through the same sums, so a rank with a bad loss doesn't leave them: its
    // gradients make those of all ranks bad.
    if (finite || ranks_ != nullptr)
      (step.loss * (scaler_.scale() / static_cast<double>(count))).backward();
    for (const auto& [name, value] : step.terms) {
      report_.terms[name] += value / static_cast<double>(count);
    }
  }
  return finite;
}

/// Makes the step that of all ranks: the mean of their gradients, losses and terms.
void Trainer::join_step() {
  report_.used = buckets_->used();
  report_.stop = stop_->cancelled();
  own_report_ = report_;
  report_ = exchange_reports(*ranks_, own_report_);
  buckets_->finish(report_.used);
}

/// Everything between the backward pass and the update: takes the loss scale off, checks, clips.
/// Gradients are those of all ranks by now. False when one is not finite.
bool Trainer::finish_gradients() {
  const std::vector<at::Tensor> gradients = optimiser_.gradients();
  gradient_norm_ = gradient_norm(gradients) / scaler_.scale();
  if (!std::isfinite(gradient_norm_)) return false;
  double factor = 1.0 / scaler_.scale();
  if (options_.clip_norm > 0 && gradient_norm_ > options_.clip_norm) {
    factor *= options_.clip_norm / gradient_norm_;
  }
  scale_gradients(gradients, factor);
  return true;
}

void Trainer::update_parameters() {
  optimiser_.step(last_lr_);
  if (averaged_ != nullptr) averaged_->update();
  ++state_.window_steps;
  state_.window_loss += report_.loss;
  state_.window_gradient_norm += gradient_norm_;
  for (const auto& [name, value] : report_.terms) state_.window_terms[name] += value;
}

void Trainer::log_step(Progress& progress) {
  if (state_.step % options_.log_every != 0 && state_.step != total_steps_) return;
  nlohmann::ordered_json line = {
      {"kind", "train"}, {"step", state_.step}, {"epoch", (state_.step - 1) / updates_per_epoch_}};
  // A window of skipped steps alone has no mean.
  const auto n = static_cast<double>(std::max<int64_t>(1, state_.window_steps));
  Metrics means{{"loss", state_.window_steps > 0 ? state_.window_loss / n : NAN},
                {"gradient_norm", state_.window_steps > 0 ? state_.window_gradient_norm / n : NAN},
                {"lr", last_lr_}};
  if (scaler_.enabled()) means["loss_scale"] = scaler_.scale();
  Metrics terms;
  for (const auto& [name, sum] : state_.window_terms) terms[name] = sum / n;
  line.update(metrics_to_json(means));
  line["terms"] = metrics_to_json(terms);
  shown_loss_ = means["loss"];
  if (writes()) {
    run_->metrics().append(line);
    for (const auto& [name, value] : means) events_->scalar("train/" + name, value, state_.step);
    for (const auto& [name, value] : terms) {
      events_->scalar("train/terms/" + name, value, state_.step);
    }
    log_speed(progress);
  }
  state_.window_steps = 0;
  state_.window_loss = state_.window_gradient_norm = 0.0;
  state_.window_terms.clear();
}

void Trainer::log_speed(Progress& progress) {
  const double seconds = std::max(1e-9, state_.step_s - logged_step_s_);
  const double items_per_s = static_cast<double>(state_.items - logged_items_) / seconds;
  const double waiting = (state_.loader_wait_s - logged_wait_s_) / seconds;
  const double left = seconds_between(start_, Clock::now()) /
                      static_cast<double>(state_.step - first_step_) *
                      static_cast<double>(total_steps_ - state_.step);
  events_->scalar("speed/items_per_s", items_per_s, state_.step);
  events_->scalar("speed/loader_wait_share", waiting, state_.step);
  const auto metric = state_.last_metrics.find(options_.metric);
  progress.note(format("loss {:.4g}{}, {:.1f} items/s, loader {:.1f} %, {} left",
                       shown_loss_,
                       metric == state_.last_metrics.end()
                           ? std::string()
                           : format(", {} {:.4g}", options_.metric, metric->second),
                       items_per_s,
                       100.0 * waiting,
                       clock_text(left)));
  logged_step_s_ = state_.step_s;
  logged_wait_s_ = state_.loader_wait_s;
  logged_items_ = state_.items;
}

bool Trainer::validation_due() const {
  if (state_.step == 0 || state_.validated_step == state_.step) return false;
  if (state_.step == total_steps_) return true;
  return options_.validate_every > 0 &&
         state_.step % (options_.validate_every * updates_per_epoch_) == 0;
}

/// Ranks stop together: they have told each other at the end of the last step.
void Trainer::check_stop(const CancelToken& stop) const {
  if (ranks_ == nullptr) stop.check();
  if (ranks_ != nullptr && report_.stop) {
    throw Error(ErrorCode::kCancelled, "stopped on request");
  }
}

Metrics Trainer::measure(Progress& progress, const CancelToken& stop) {
  const AveragedScope averaged(averaged_.get());
  const torch::NoGradGuard no_grad;
  network_.eval();
  Metrics metrics = task_.validate(progress, stop);
  network_.train();
  pictures_ = task_.pictures();
  return metrics;
}

/// Rank 0 measures, so that the metrics are those of one process with the same weights, and a task
/// need not know of ranks. The others wait.
Metrics Trainer::measured_by_first_rank(Progress& progress, const CancelToken& stop) {
  check_same_tensors(*ranks_, all_tensors());
  nlohmann::ordered_json said;
  if (writes()) {
    try {
      said = metrics_to_json(measure(progress, stop));
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kCancelled) throw;
    }
  }
  said = nlohmann::ordered_json::parse(broadcast_text(*ranks_, said.dump()));
  if (said.is_null()) throw Error(ErrorCode::kCancelled, "stopped on request");
  Metrics metrics;
  for (const auto& [name, value] : said.items()) {
    metrics[name] = value.is_number() ? value.get<double>() : NAN;
  }
  return metrics;
}

void Trainer::validate(Progress& progress, const CancelToken& stop) {
  const Metrics metrics =
      ranks_ != nullptr ? measured_by_first_rank(progress, stop) : measure(progress, stop);
  VOXLOOM_CHECK(metrics.contains(options_.metric),
                ErrorCode::kInvalidArgument,
                "--metric: must be one that validation gives ({}), got '{}'",
                metrics_to_json(metrics).dump(),
                options_.metric);
  state_.validated_step = state_.step;
  unsaved_ = true;
  judge(metrics);
  if (!writes()) return;
  log_validation(metrics);
  if (state_.best_step == state_.step) {
    write_checkpoint();
    run_->keep_last_as_best();
  }
  write_run_report();
}

/// Takes note of whether this validation is the best one.
void Trainer::judge(const Metrics& metrics) {
  const double value = metrics.at(options_.metric);
  const bool better = std::isfinite(value) &&
                      (state_.best_step == 0 ||
                       (options_.metric_mode == MetricMode::kMax ? value > state_.best_value
                                                                 : value < state_.best_value));
  state_.last_metrics = metrics;
  if (better) {
    state_.best_step = state_.step;
    state_.best_value = value;
    state_.best_metrics = metrics;
    state_.stale_validations = state_.plateau_stale = 0;
    return;
  }
  ++state_.stale_validations;
  if (options_.schedule == ScheduleKind::kPlateau &&
      ++state_.plateau_stale >= options_.plateau_patience) {
    ++state_.plateau_drops;
    state_.plateau_stale = 0;
  }
}

void Trainer::log_validation(const Metrics& metrics) {
  run_->metrics().append({{"kind", "validation"},
                          {"step", state_.step},
                          {"epoch", (state_.step - 1) / updates_per_epoch_},
                          {"metrics", metrics_to_json(metrics)}});
  for (const auto& [name, value] : metrics) {
    events_->scalar("validation/" + name, value, state_.step);
  }
  for (const Picture& picture : pictures_) events_->picture(picture, state_.step);
  if (options_.histograms) write_weight_histograms(network_, *events_, state_.step);
  const double step_s = std::max(1e-9, state_.step_s);
  VOXLOOM_LOG_INFO("epoch {}/{}: loss {:.4g}, {} {:.4g}{}, {:.1f} items/s, loader {:.1f} %",
                   (state_.step - 1) / updates_per_epoch_ + 1,
                   options_.epochs,
                   shown_loss_,
                   options_.metric,
                   metrics.at(options_.metric),
                   state_.best_step == state_.step ? " (best)" : "",
                   static_cast<double>(state_.items) / step_s,
                   100.0 * state_.loader_wait_s / step_s);
}

bool Trainer::checkpoint_due() const {
  if (!unsaved_) return false;
  if (options_.checkpoint_every_steps > 0 && state_.step % options_.checkpoint_every_steps == 0) {
    return true;
  }
  return options_.checkpoint_every_s > 0 &&
         seconds_between(checkpoint_time_, Clock::now()) >= options_.checkpoint_every_s;
}

void Trainer::write_checkpoint() {
  unsaved_ = false;
  if (!writes()) return;
  state_.loss_scale = scaler_.scale();
  state_.loss_scale_good_steps = scaler_.good_steps();
  state_.averaged_updates = averaged_ != nullptr ? averaged_->updates() : 0;
  state_.elapsed_s = elapsed_s();
  state_.metrics_bytes = run_->metrics().sync();
  std::vector<std::pair<std::string, NamedTensors>> sections{{"network", named_tensors(network_)},
                                                             {"optimiser", optimiser_.state()}};
  if (averaged_ != nullptr) sections.emplace_back("ema", averaged_->averages());
  try {
    save_checkpoint(run_->last_checkpoint(), state_.to_json(), sections);
  } catch (const Error& e) {
    throw Error(e.code(), format("{}; {}", e.what(), last_good_checkpoint()));
  }
  checkpoint_step_ = state_.step;
  checkpoint_time_ = Clock::now();
}

std::optional<EndReason> Trainer::ended() const {
  if (state_.step >= total_steps_) return EndReason::kAllSteps;
  if (options_.patience > 0 && state_.stale_validations >= options_.patience) {
    return EndReason::kNoBetterMetric;
  }
  return std::nullopt;
}

FitResult Trainer::finish(EndReason reason) {
  if (reason != EndReason::kCancelled) {
    if (writes()) load_best_weights();
    if (ranks_ != nullptr) broadcast_tensors(*ranks_, named_tensors(network_));
    network_.eval();
  }
  if (reason != EndReason::kCancelled && writes()) {
    task_.write_model(run_->model(), state_.best_metrics);
    if (!pictures_.empty() || !std::filesystem::exists(run_->report())) write_run_report();
  }
  return {
      .reason = reason,
      .steps = state_.step,
      .best_step = state_.best_step,
      .best_metrics = state_.best_metrics,
      .items_per_s = state_.step_s > 0.0 ? static_cast<double>(state_.items) / state_.step_s : 0.0,
      .loader_wait_share = state_.step_s > 0.0 ? state_.loader_wait_s / state_.step_s : 0.0};
}

/// Puts the weights of the best validation into the network, for inference.
void Trainer::load_best_weights() {
  // Without a finite metric there is no best one: the last weights stand.
  if (state_.best_step == 0) {
    if (averaged_ != nullptr) averaged_->swap();
    return;
  }
  const CheckpointFile file(run_->best_checkpoint());
  file.copy_to(averaged_ != nullptr ? "ema" : "network", named_tensors(network_));
}

void Trainer::write_run_report() {
  state_.elapsed_s = elapsed_s();
  write_report(*run_, options_, state_, total_steps_, pictures_);
}

int64_t Trainer::first_batch() const {
  return state_.step % updates_per_epoch_ * options_.accumulation;
}

double Trainer::learning_rate() const {
  return options_.lr * schedule_factor(options_, state_.step, total_steps_, state_.plateau_drops);
}

double Trainer::elapsed_s() const {
  return elapsed_before_s_ + seconds_between(start_, Clock::now());
}

std::string Trainer::last_good_checkpoint() const {
  if (!writes()) return "rank 0 has the checkpoints";
  if (checkpoint_step_ < 0) return "there is no checkpoint yet";
  return format("the checkpoint of step {} in '{}' is intact",
                checkpoint_step_,
                run_->last_checkpoint().string());
}

}  // namespace voxloom::train
