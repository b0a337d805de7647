// The trainer on several ranks.
#include <cmath>
#include <memory>
#include <mutex>

#include <gmock/gmock.h>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/train/checkpoint.h"
#include "voxloom/train/trainer.h"
#include "voxloom/weights/fingerprint.h"
#include "voxloom/weights/safetensors.h"

#include "ranks_in_threads.h"
#include "temporary_folder.h"
#include "tiny_task.h"

namespace voxloom::train {
namespace {

using testing::AllOf;
using testing::Each;
using testing::HasSubstr;
using TrainingRun = train::Run;  // testing::Test has a member of that name

TrainerOptions options() {
  TrainerOptions options;
  options.epochs = 4;
  options.lr = 0.05;
  // Adam divides by the size of a gradient, so one that is 0 but for rounding (that of a bias in
  // front of a norm) would move by the whole rate in a direction of chance.
  options.optimiser = OptimiserKind::kSgd;
  options.weight_decay = 1e-4;
  options.ema_decay = 0.9;
  options.clip_norm = 1.0;
  options.log_every = 3;
  options.threads = 1;
  options.seed = 5;
  options.metric = "dice";
  options.metric_mode = MetricMode::kMax;
  return options;
}

RunInfo info_of(TrainerOptions options) {
  RunInfo info;
  OptionList list;
  options.visit(list);
  info.add_options(list);
  return info;
}

struct Outcome {
  std::vector<std::string> errors;
  std::vector<NamedTensors> tensors;  ///< Of each rank, at the end.
  std::vector<FitResult> results;
};

NamedTensors copies(const torch::nn::Module& network) {
  NamedTensors out;
  for (const auto& [name, tensor] : named_tensors(network)) {
    out.emplace_back(name, tensor.detach().clone());
  }
  return out;
}

TrainingRun open(const std::filesystem::path& folder, const TrainerOptions& options) {
  return TrainingRun::exists(folder)
             ? TrainingRun::resume(folder, info_of(options))
             : TrainingRun::create(folder, info_of(options), Overwrite::kRefuse);
}

Outcome train_ranks(int64_t size,
                    const std::filesystem::path& folder,
                    const TrainerOptions& options,
                    TinyTaskOptions task_options,
                    const CancelToken& stop = {}) {
  Outcome outcome;
  outcome.tensors.resize(static_cast<size_t>(size));
  outcome.results.resize(static_cast<size_t>(size));
  task_options.ranks = size;
  std::mutex making;  // A task's start values come from the generator that all threads share.
  outcome.errors = run_ranks({.size = size}, [&](Communicator& ranks) {
    auto own = task_options;
    own.rank = ranks.rank();
    // A network of its own start: rank 0's is to win. Data comes from the same seed.
    const auto made = [&] {
      const std::lock_guard lock(making);
      return std::make_unique<TinyTask>(own);
    }();
    TinyTask& task = *made;
    if (ranks.rank() > 0) {
      const torch::NoGradGuard no_grad;
      for (auto& parameter : task.network().parameters()) parameter.add_(1.0);
    }
    std::unique_ptr<TrainingRun> run;
    if (ranks.rank() == 0) run = std::make_unique<TrainingRun>(open(folder, options));
    Progress progress;
    const auto i = static_cast<size_t>(ranks.rank());
    outcome.results[i] = Trainer(task, run.get(), options, &ranks).fit(progress, stop);
    outcome.tensors[i] = copies(task.network());
  });
  return outcome;
}

NamedTensors train_alone(const std::filesystem::path& folder,
                         const TrainerOptions& options,
                         const TinyTaskOptions& task_options) {
  TinyTask task(task_options);
  TrainingRun run = open(folder, options);
  Progress progress;
  Trainer(task, run, options).fit(progress, {});
  return copies(task.network());
}

double largest_difference(const NamedTensors& a, const NamedTensors& b) {
  double largest = 0.0;
  EXPECT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    const at::Tensor difference = a[i].second.to(at::kDouble) - b[i].second.to(at::kDouble);
    largest = std::max(largest, difference.abs().max().item<double>());
  }
  return largest;
}

void expect_same_bits(const NamedTensors& a, const NamedTensors& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(a[i].second.equal(b[i].second)) << a[i].first;
}

TEST(DistributedTrainerTest, TwoRanksEqualOneProcessWithTheDoubledBatch) {
  const TemporaryFolder folder;
  auto given = options();
  given.epochs = 4;  // of 5 batches: 20 steps
  const auto both = train_ranks(2, folder.path() / "both", given, {.batches = 5, .batch_size = 4});
  ASSERT_THAT(both.errors, Each(""));
  EXPECT_EQ(both.results[0].steps, 20);
  expect_same_bits(both.tensors[0], both.tensors[1]);
  const auto one = train_alone(folder.path() / "one", given, {.batches = 5, .batch_size = 8});
  EXPECT_LT(largest_difference(both.tensors[0], one), 1e-6);
  RecordProperty("largest_difference", format("{:.3g}", largest_difference(both.tensors[0], one)));
  // Logged losses are those of the whole batch.
  const auto a = read_metrics(folder.path() / "both" / "metrics.jsonl");
  const auto b = read_metrics(folder.path() / "one" / "metrics.jsonl");
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i]["kind"] != "train") continue;
    EXPECT_NEAR(a[i]["loss"].get<double>(), b[i]["loss"].get<double>(), 1e-5);
    EXPECT_NEAR(a[i]["terms"]["bce"].get<double>(), b[i]["terms"]["bce"].get<double>(), 1e-5);
  }
}

TEST(DistributedTrainerTest, AccumulationReducesOnceAndEqualsOneProcess) {
  const TemporaryFolder folder;
  auto given = options();
  given.accumulation = 2;
  const auto both = train_ranks(2, folder.path() / "both", given, {.batches = 6, .batch_size = 2});
  ASSERT_THAT(both.errors, Each(""));
  expect_same_bits(both.tensors[0], both.tensors[1]);
  const auto one = train_alone(folder.path() / "one", given, {.batches = 6, .batch_size = 4});
  EXPECT_LT(largest_difference(both.tensors[0], one), 1e-6);
}

TEST(DistributedTrainerTest, ThreeRanksWithAdamAndHalfPrecisionHoldTheSameBits) {
  const TemporaryFolder folder;
  auto given = options();
  given.optimiser = OptimiserKind::kAdamW;
  given.amp = Amp::kBf16;
  given.memory_format = MemoryFormat::kChannelsLast;
  const auto all = train_ranks(3, folder.path() / "run", given, {.batches = 4, .batch_size = 2});
  ASSERT_THAT(all.errors, Each(""));
  expect_same_bits(all.tensors[0], all.tensors[1]);
  expect_same_bits(all.tensors[0], all.tensors[2]);
}

TEST(DistributedTrainerTest, AStoppedRunGoesOnWithTheSameNumbers) {
  const TemporaryFolder folder;
  const auto given = options();
  const TinyTaskOptions task{.batches = 5, .batch_size = 2};
  const auto whole = train_ranks(2, folder.path() / "whole", given, task);
  ASSERT_THAT(whole.errors, Each(""));
  // One rank is asked to stop in the middle; both do, after the same step.
  CancelToken stop;
  auto stopping = task;
  stopping.on_loss = [&](int64_t epoch, int64_t batch, const at::Tensor& loss) {
    if (epoch == 1 && batch == 2) stop.cancel();
    return loss;
  };
  const auto cut = train_ranks(2, folder.path() / "cut", given, stopping, stop);
  ASSERT_THAT(cut.errors, Each(""));
  EXPECT_EQ(cut.results[0].reason, EndReason::kCancelled);
  EXPECT_EQ(cut.results[1].reason, EndReason::kCancelled);
  EXPECT_EQ(cut.results[0].steps, cut.results[1].steps);
  EXPECT_LT(cut.results[0].steps, 20);
  const auto resumed = train_ranks(2, folder.path() / "cut", given, task);
  ASSERT_THAT(resumed.errors, Each(""));
  expect_same_bits(whole.tensors[0], resumed.tensors[0]);
  expect_same_bits(whole.tensors[0], resumed.tensors[1]);
  EXPECT_EQ(read_text_file(folder.path() / "whole" / "metrics.jsonl"),
            read_text_file(folder.path() / "cut" / "metrics.jsonl"));
}

TEST(DistributedTrainerTest, ALossThatIsNotFiniteStopsAllRanksNamingRankAndBatch) {
  const TemporaryFolder folder;
  std::atomic<int> calls{0};
  const auto all =
      train_ranks(2,
                  folder.path() / "run",
                  options(),
                  {.batches = 5,
                   .batch_size = 2,
                   .on_loss = [&](int64_t epoch, int64_t batch, const at::Tensor& loss) {
                     // Whichever of the two ranks comes second to the third batch.
                     return epoch == 0 && batch == 2 && calls++ == 1 ? loss * NAN : loss;
                   }});
  EXPECT_THAT(all.errors[0],
              AllOf(HasSubstr("got a loss of nan at step 3"),
                    testing::ContainsRegex("epoch 1, rank [01]: batch '0/2'\\)"),
                    testing::Not(HasSubstr("; rank 1:"))));
  EXPECT_THAT(all.errors[1], HasSubstr("got a loss of nan at step 3"));
}

TEST(DistributedTrainerTest, EarlyStopIsDecidedByRankZeroForAll) {
  const TemporaryFolder folder;
  auto given = options();
  given.epochs = 9;
  given.patience = 2;
  given.metric = "score";
  const auto all = train_ranks(2,
                               folder.path() / "run",
                               given,
                               {.batches = 2,
                                .batch_size = 2,
                                .scripted_score = {0.1, 0.5, 0.4, 0.3, 0.2, 0.1, 0.1, 0.1, 0.1}});
  ASSERT_THAT(all.errors, Each(""));
  for (const auto& result : all.results) {
    EXPECT_EQ(result.reason, EndReason::kNoBetterMetric);
    EXPECT_EQ(result.steps, 8);
    EXPECT_EQ(result.best_step, 4);
    EXPECT_DOUBLE_EQ(result.best_metrics.at("score"), 0.5);
  }
  expect_same_bits(all.tensors[0], all.tensors[1]);
}

TEST(DistributedTrainerTest, AnErrorWhileRankZeroValidatesReachesTheOther) {
  const TemporaryFolder folder;
  const auto all = train_ranks(
      2, folder.path() / "run", options(), {.batches = 2, .batch_size = 2, .on_validate = [] {
                                              throw Error(ErrorCode::kDataCorrupt,
                                                          "image 'v' is cut");
                                            }});
  EXPECT_EQ(all.errors[0], "image 'v' is cut");
  EXPECT_EQ(all.errors[1], "distributed: rank 0 stopped: image 'v' is cut");
}

}  // namespace
}  // namespace voxloom::train
