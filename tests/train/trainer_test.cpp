#include "voxloom/train/trainer.h"

#include <cmath>
#include <csignal>
#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "voxloom/core/error.h"
#include "voxloom/tensor/load.h"
#include "voxloom/tensor/view.h"
#include "voxloom/train/checkpoint.h"
#include "voxloom/weights/package.h"

#include "temporary_folder.h"
#include "tiny_task.h"

namespace voxloom::train {
namespace {

using testing::HasSubstr;
using TrainingRun = train::Run;  // testing::Test has a member of that name

TrainerOptions short_run() {
  TrainerOptions options;
  options.epochs = 3;
  options.lr = 0.02;
  options.log_every = 2;
  options.threads = 1;
  options.seed = 5;
  return options;
}

RunInfo info_of(TrainerOptions options) {
  RunInfo info;
  OptionList list;
  options.visit(list);
  info.add_options(list);
  return info;
}

/// Trains in a folder of its own.
struct Trained {
  explicit Trained(const TrainerOptions& options, TinyTaskOptions task_options = {})
      : task(std::move(task_options)),
        run(TrainingRun::create(folder.path(), info_of(options), Overwrite::kRefuse)) {
    result = Trainer(task, run, options).fit(progress, stop);
  }
  [[nodiscard]] std::vector<nlohmann::ordered_json> lines(std::string_view kind) const {
    std::vector<nlohmann::ordered_json> found;
    for (const auto& line : read_metrics(run.metrics_file())) {
      if (line["kind"] == kind) found.push_back(line);
    }
    return found;
  }

  TemporaryFolder folder;
  TinyTask task;
  TrainingRun run;
  Progress progress;
  CancelToken stop;
  FitResult result;
};

double largest_difference(const torch::nn::Module& a, const torch::nn::Module& b) {
  const auto left = a.parameters(), right = b.parameters();
  double largest = 0;
  for (size_t i = 0; i < left.size(); ++i) {
    largest = std::max(largest, (left[i] - right[i]).abs().max().item<double>());
  }
  return largest;
}

template <class Action>
Error error_of(const Action& action) {
  try {
    action();
  } catch (const Error& e) {
    return e;
  }
  return {ErrorCode::kInternal, "no error"};
}

TEST(TrainerTest, LearnsAndLeavesACompleteRunFolder) {
  TrainerOptions options = short_run();
  options.epochs = 12;
  const Trained trained(options, {.norm = true});
  EXPECT_EQ(trained.result.reason, EndReason::kAllSteps);
  EXPECT_EQ(trained.result.steps, 72);
  const auto train = trained.lines("train"), validation = trained.lines("validation");
  ASSERT_EQ(train.size(), 36U);
  ASSERT_EQ(validation.size(), 12U);
  EXPECT_LT(train.back()["loss"].get<double>(), 0.5 * train.front()["loss"].get<double>());
  EXPECT_GT(validation.back()["metrics"]["dice"].get<double>(), 0.8);
  EXPECT_EQ(train.front()["terms"]["bce"], train.front()["loss"]);
  EXPECT_EQ(trained.task.models_written, 1);
  const weights::Package package = weights::read_package(trained.run.model());
  EXPECT_TRUE(weights::verify_package(package).intact);
  for (const char* name : {"run.yaml", "report.html", "checkpoints/best.safetensors"}) {
    EXPECT_TRUE(std::filesystem::exists(trained.run.folder() / name)) << name;
  }
}

TEST(TrainerTest, ReportIsOneFileWithCurvesPicturesAndOptions) {
  const Trained trained(short_run());
  const std::string html = read_text_file(trained.run.report());
  EXPECT_THAT(html, HasSubstr("<polyline"));
  EXPECT_THAT(html, HasSubstr("data:image/png;base64,"));
  EXPECT_THAT(html, HasSubstr("disc &lt;1&gt;"));
  EXPECT_THAT(html, HasSubstr("<td>weight_decay</td><td>0.01</td>"));
  EXPECT_THAT(html, testing::Not(HasSubstr("http")));
}

TEST(TrainerTest, SameSeedGivesTheSameRunAndAnotherSeedAnotherOne) {
  TinyTaskOptions dropout{.dropout = 0.3};
  const Trained first(short_run(), dropout), second(short_run(), dropout);
  TrainerOptions other = short_run();
  other.seed = 6;
  const Trained third(other, dropout);
  EXPECT_EQ(read_text_file(first.run.metrics_file()), read_text_file(second.run.metrics_file()));
  EXPECT_EQ(largest_difference(first.task.trained_network(), second.task.trained_network()), 0.0);
  EXPECT_GT(largest_difference(first.task.trained_network(), third.task.trained_network()), 0.0);
}

TEST(TrainerTest, AccumulatedBatchesEqualOneLargeBatch) {
  TrainerOptions options = short_run();
  options.optimiser = OptimiserKind::kSgd;
  options.clip_norm = 0.5;
  options.validate_every = 0;
  const Trained large(options, {.batches = 5, .batch_size = 12, .norm = false});
  options.accumulation = 3;
  const Trained small(options, {.batches = 15, .batch_size = 4, .norm = false});
  EXPECT_EQ(large.result.steps, small.result.steps);
  EXPECT_LT(largest_difference(large.task.trained_network(), small.task.trained_network()), 1e-6);
  EXPECT_GT(largest_difference(large.task.trained_network(), TinyTask({.norm = false}).network()),
            1e-3);
}

TEST(TrainerTest, AnEpochThatAccumulationDoesNotDivideEndsWithASmallerStep) {
  TrainerOptions options = short_run();
  options.accumulation = 4;
  const Trained trained(options, {.batches = 6});
  EXPECT_EQ(trained.result.steps, 6);
  EXPECT_EQ(trained.task.steps_taken, 18);
}

TEST(TrainerTest, ClippingLimitsTheStep) {
  TrainerOptions options = short_run();
  options.optimiser = OptimiserKind::kSgd;
  options.momentum = 0;
  options.weight_decay = 0;
  options.schedule = ScheduleKind::kConstant;
  options.lr = 1.0;
  options.clip_norm = 1e-3;
  options.max_steps = 1;
  const Trained trained(options);
  TinyTask start({});
  double squares = 0;
  const auto after = trained.task.trained_network().parameters();
  for (size_t i = 0; i < after.size(); ++i) {
    squares += (after[i] - start.network().parameters()[i]).square().sum().item<double>();
  }
  EXPECT_NEAR(std::sqrt(squares), 1e-3, 1e-5);
}

TEST(TrainerTest, ALossThatIsNotFiniteStopsNamesTheBatchAndKeepsTheCheckpoint) {
  TrainerOptions options = short_run();
  options.checkpoint_every_steps = 2;
  const TemporaryFolder folder;
  TrainingRun run = TrainingRun::create(folder.path(), info_of(options), Overwrite::kRefuse);
  TinyTask task({.on_loss = [](int64_t epoch, int64_t batch, const at::Tensor& loss) {
    return epoch == 1 && batch == 3 ? loss * NAN : loss;
  }});
  Progress progress;
  const Error error = error_of([&] { Trainer(task, run, options).fit(progress, CancelToken()); });
  EXPECT_THAT(error.what(), HasSubstr("got a loss of nan at step 10 (epoch 2, batch '1/3')"));
  EXPECT_THAT(error.what(), HasSubstr("the checkpoint of step 8 in"));
  const CheckpointFile file(run.last_checkpoint());
  EXPECT_EQ(file.state()["step"], 8);
}

TEST(TrainerTest, AGradientThatIsNotFiniteStopsToo) {
  TrainerOptions options = short_run();
  const TemporaryFolder folder;
  TrainingRun run = TrainingRun::create(folder.path(), info_of(options), Overwrite::kRefuse);
  TinyTask task({.on_loss = [](int64_t, int64_t batch, const at::Tensor& loss) {
    // sqrt has an infinite slope at 0: the loss stays finite.
    return batch == 2 ? loss + (loss - loss.detach()).abs().sqrt() : loss;
  }});
  Progress progress;
  const Error error = error_of([&] { Trainer(task, run, options).fit(progress, CancelToken()); });
  EXPECT_THAT(error.what(), HasSubstr("with a gradient of norm"));
  EXPECT_THAT(error.what(), HasSubstr("batch '0/2'"));
}

TEST(TrainerTest, AFullDiskEndsTheRunNamesTheLastCheckpointAndKeepsIt) {
  TrainerOptions options = short_run();
  options.checkpoint_every_steps = 2;
  options.histograms = false;
  const TemporaryFolder folder;
  TrainingRun run = TrainingRun::create(folder.path(), info_of(options), Overwrite::kRefuse);
  // A limit on the size of files, which only the checkpoint passes, makes writing fail as a full
  // disk does.
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  TinyTask task({.channels = 1000, .on_loss = [&](int64_t, int64_t batch, const at::Tensor& loss) {
                   const rlimit limit{64 << 10, before.rlim_max};
                   if (batch == 3) ::setrlimit(RLIMIT_FSIZE, &limit);
                   return loss;
                 }});
  Progress progress;
  const Error error = error_of([&] { Trainer(task, run, options).fit(progress, CancelToken()); });
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_EQ(error.code(), ErrorCode::kUnavailable);
  EXPECT_THAT(error.what(), HasSubstr("last.safetensors': cannot be written"));
  EXPECT_THAT(error.what(), HasSubstr("the checkpoint of step 2 in"));
  EXPECT_EQ(CheckpointFile(run.last_checkpoint()).state()["step"], 2);
}

TEST(TrainerTest, Fp16SkipsAnOverflowAndHalvesTheScale) {
  TrainerOptions options = short_run();
  options.amp = Amp::kFp16;
  options.log_every = 1;
  options.validate_every = 0;
  const Trained trained(options,
                        {.on_loss = [](int64_t epoch, int64_t batch, const at::Tensor& loss) {
                          // Times the scale of 65536 this leaves float32.
                          return epoch == 0 && batch == 2 ? loss * 1e36 : loss;
                        }});
  const auto lines = trained.lines("train");
  ASSERT_EQ(lines.size(), 18U);
  EXPECT_EQ(lines[1]["loss_scale"], 65536.0);
  EXPECT_TRUE(lines[2]["loss"].is_null());
  EXPECT_EQ(lines[2]["loss_scale"], 32768.0);
  EXPECT_LT(lines[17]["loss"].get<double>(), lines[0]["loss"].get<double>());
  EXPECT_EQ(CheckpointFile(trained.run.last_checkpoint()).state()["skipped_steps"], 1);
}

TEST(TrainerTest, Fp16GivesUpWhenNoScaleHelps) {
  TrainerOptions options = short_run();
  options.amp = Amp::kFp16;
  options.epochs = 10;
  options.validate_every = 0;
  const TemporaryFolder folder;
  TrainingRun run = TrainingRun::create(folder.path(), info_of(options), Overwrite::kRefuse);
  TinyTask task({.on_loss = [](int64_t, int64_t, const at::Tensor& loss) { return loss * NAN; }});
  Progress progress;
  const Error error = error_of([&] { Trainer(task, run, options).fit(progress, CancelToken()); });
  EXPECT_THAT(error.what(), HasSubstr("got a loss of nan at step 17"));
}

TEST(TrainerTest, Bf16TrainsWithFloat32Weights) {
  TrainerOptions options = short_run();
  options.amp = Amp::kBf16;
  options.epochs = 12;
  const Trained half(options);
  options.amp = Amp::kOff;
  const Trained full(options);
  EXPECT_GT(half.result.best_metrics.at("dice"), 0.8);
  const double difference =
      largest_difference(half.task.trained_network(), full.task.trained_network());
  EXPECT_GT(difference, 0.0);  // it did compute in another precision
  EXPECT_EQ(half.task.trained_network().parameters()[0].scalar_type(), at::kFloat);
}

TEST(TrainerTest, ChannelsLastComputesTheSameFunction) {
  TrainerOptions options = short_run();
  // Without normalisation, after which a bias has no gradient but rounding, which Adam blows up.
  const Trained plain(options, {.norm = false});
  options.memory_format = MemoryFormat::kChannelsLast;
  const Trained last(options, {.norm = false});
  EXPECT_TRUE(
      last.task.trained_network().parameters()[0].is_contiguous(at::MemoryFormat::ChannelsLast));
  EXPECT_LT(largest_difference(plain.task.trained_network(), last.task.trained_network()), 1e-3);
}

TEST(TrainerTest, EarlyStoppingCountsValidationsWithoutABetterMetric) {
  TrainerOptions options = short_run();
  options.epochs = 10;
  options.metric = "score";
  options.metric_mode = MetricMode::kMax;
  options.patience = 2;
  const Trained trained(options, {.scripted_score = {0.5, 0.7, 0.6, 0.7, 0.9}});
  EXPECT_EQ(trained.result.reason, EndReason::kNoBetterMetric);
  EXPECT_EQ(trained.result.steps, 24);
  EXPECT_EQ(trained.result.best_step, 12);
  EXPECT_EQ(trained.result.best_metrics.at("score"), 0.7);
}

TEST(TrainerTest, PlateauLowersTheRateAfterItsPatience) {
  TrainerOptions options = short_run();
  options.epochs = 5;
  options.schedule = ScheduleKind::kPlateau;
  options.plateau_patience = 1;
  options.metric = "score";
  options.metric_mode = MetricMode::kMax;
  const Trained trained(options, {.scripted_score = {0.5, 0.4, 0.6, 0.5, 0.1}});
  std::vector<double> rates;
  for (const auto& line : trained.lines("train")) {
    if (line["step"].get<int64_t>() % 6 == 0) rates.push_back(line["lr"].get<double>());
  }
  EXPECT_THAT(rates,
              testing::Pointwise(testing::DoubleNear(1e-12), {0.02, 0.02, 0.002, 0.002, 0.0002}));
}

TEST(TrainerTest, AnUnknownMetricNamesTheOnesThereAre) {
  TrainerOptions options = short_run();
  options.metric = "cldice";
  EXPECT_THAT(error_of([&] { const Trained trained(options); }).what(),
              testing::AllOf(HasSubstr("\"dice\""), HasSubstr("got 'cldice'")));
}

TEST(TrainerTest, TheModelHasTheAveragedWeightsOfTheBestValidation) {
  TrainerOptions options = short_run();
  options.ema_decay = 0.9;
  options.metric = "score";
  options.metric_mode = MetricMode::kMax;
  const Trained trained(options, {.scripted_score = {0.1, 0.8, 0.3}});
  TinyTask expected({});
  const CheckpointFile best(trained.run.best_checkpoint());
  EXPECT_EQ(best.state()["step"], 12);
  best.copy_to("ema", named_tensors(expected.network()));
  const weights::Package package = weights::read_package(trained.run.model());
  const weights::StateDict shipped = weights::read_package_weights(package);
  for (const auto& [name, tensor] : named_tensors(expected.network())) {
    EXPECT_TRUE(torch::equal(tensor, tensor::from_view(*shipped.find(name)))) << name;
  }
  EXPECT_EQ(largest_difference(expected.network(), trained.task.trained_network()), 0.0);
  TinyTask live({});
  best.copy_to("network", named_tensors(live.network()));
  EXPECT_GT(largest_difference(live.network(), expected.network()), 0.0);
}

TEST(TrainerTest, CancelWritesACheckpointAndResumeGivesTheUnbrokenRun) {
  TrainerOptions options = short_run();
  options.ema_decay = 0.9;
  options.accumulation = 2;
  options.log_every = 4;
  const TinyTaskOptions plain{.batches = 10, .dropout = 0.3};
  const Trained unbroken(options, plain);

  for (const bool during_validation : {false, true}) {
    const TemporaryFolder folder;
    const CancelToken stop;
    Progress progress;
    TinyTaskOptions cancelling = plain;
    if (during_validation) {
      cancelling.on_validate = [&] { stop.cancel(); };
    } else {
      cancelling.on_loss = [&](int64_t epoch, int64_t batch, const at::Tensor& loss) {
        if (epoch == 1 && batch == 2) stop.cancel();
        return loss;
      };
    }
    {
      TinyTask task(cancelling);
      TrainingRun run = TrainingRun::create(folder.path(), info_of(options), Overwrite::kRefuse);
      const FitResult result = Trainer(task, run, options).fit(progress, stop);
      EXPECT_EQ(result.reason, EndReason::kCancelled);
      EXPECT_EQ(result.steps, during_validation ? 5 : 7);
      EXPECT_EQ(task.models_written, 0);
    }
    TinyTask task(plain);
    TrainingRun run = TrainingRun::resume(folder.path(), info_of(options));
    const FitResult result = Trainer(task, run, options).fit(progress, CancelToken());
    EXPECT_EQ(result.reason, EndReason::kAllSteps);
    if (!during_validation) EXPECT_EQ(task.first_steps.front(), 4);
    EXPECT_EQ(read_text_file(run.metrics_file()), read_text_file(unbroken.run.metrics_file()));
    EXPECT_EQ(largest_difference(task.network(), unbroken.task.trained_network()), 0.0);
  }
}

TEST(TrainerTest, ResumingAFinishedRunTrainsNoStep) {
  const TrainerOptions options = short_run();
  Trained trained(options);
  const std::string lines = read_text_file(trained.run.metrics_file());
  TinyTask task({});
  const FitResult result = Trainer(task, trained.run, options).fit(trained.progress, CancelToken());
  EXPECT_EQ(result.steps, 18);
  EXPECT_EQ(task.steps_taken, 0);
  EXPECT_EQ(result.best_metrics, trained.result.best_metrics);
  EXPECT_EQ(read_text_file(trained.run.metrics_file()), lines);
}

}  // namespace
}  // namespace voxloom::train
