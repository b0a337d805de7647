// What the trainer costs beside forward and backward pass: the same task in it and in the bare
// libtorch loop that a user would write (torch::optim, no log, no checks, no checkpoint).
// Columns: steps/s. Arguments: channels of the network, side of the images.

#include <filesystem>

#include <benchmark/benchmark.h>

#include "voxloom/train/trainer.h"

#include "temporary_folder.h"
#include "tiny_task.h"

namespace voxloom::train {
namespace {

constexpr int64_t kSteps = 60;
constexpr int kThreads = 1;  // so that the CPU time of the process compares on a busy machine

TinyTaskOptions task_options(const benchmark::State& state) {
  return {.batches = kSteps, .side = state.range(1), .channels = state.range(0)};
}

void count_steps(benchmark::State& state) {
  state.counters["steps/s"] = benchmark::Counter(static_cast<double>(kSteps),
                                                 benchmark::Counter::kIsIterationInvariantRate);
}

void bare_loop(benchmark::State& state) {
  at::set_num_threads(kThreads);
  for (auto _ : state) {
    state.PauseTiming();
    TinyTask task(task_options(state));
    torch::optim::AdamW optimiser(task.network().parameters(), torch::optim::AdamWOptions(1e-3));
    Progress progress;
    state.ResumeTiming();
    task.network().train();
    task.begin_epoch(0, 1, 0);
    for (int64_t i = 0; i < kSteps; ++i) {
      optimiser.zero_grad();
      const Step step = task.step();
      step.loss.backward();
      optimiser.step();
    }
    state.PauseTiming();
    benchmark::DoNotOptimize(task.network().parameters());
    state.ResumeTiming();
  }
  count_steps(state);
}

/// Ends the run right after its last step, so that only steps are timed.
struct LastStep {};

void trainer_loop(benchmark::State& state) {
  TrainerOptions options;
  options.epochs = 1;
  options.threads = kThreads;
  options.ema_decay = state.range(2) != 0 ? 0.999 : 0.0;
  options.clip_norm = state.range(2) != 0 ? 1.0 : 0.0;
  for (auto _ : state) {
    state.PauseTiming();
    const TemporaryFolder folder;
    TinyTaskOptions tiny = task_options(state);
    tiny.on_validate = [] { throw LastStep(); };
    TinyTask task(tiny);
    Run run = Run::create(folder.path(), RunInfo(), Overwrite::kRefuse);
    Trainer trainer(task, run, options);
    Progress progress;
    state.ResumeTiming();
    try {
      trainer.fit(progress, CancelToken());
    } catch (const LastStep&) {
    }
    state.PauseTiming();
    benchmark::DoNotOptimize(task.network().parameters());
    state.ResumeTiming();
  }
  count_steps(state);
}

BENCHMARK(bare_loop)
    ->ArgNames({"ch", "side"})
    ->Args({8, 12})
    ->Args({32, 96})
    ->Unit(benchmark::kMillisecond)
    ->MeasureProcessCPUTime()
    ->UseRealTime();
BENCHMARK(trainer_loop)
    ->ArgNames({"ch", "side", "ema_clip"})
    ->Args({8, 12, 0})
    ->Args({32, 96, 0})
    ->Args({32, 96, 1})
    ->Unit(benchmark::kMillisecond)
    ->MeasureProcessCPUTime()
    ->UseRealTime();

}  // namespace
}  // namespace voxloom::train

BENCHMARK_MAIN();
