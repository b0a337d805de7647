// Trains the tiny task in a folder, taking up a run that is there: what resume_test kills.
// usage: train_child FOLDER [KILL_AT_BATCH [KILL_AFTER_US]]   (0: not)

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <thread>

#include "voxloom/core/error.h"
#include "voxloom/train/trainer.h"

#include "tiny_task.h"

namespace voxloom::train {
namespace {

int run_child(const std::filesystem::path& folder, int64_t kill_at_batch, int64_t kill_after_us) {
  TrainerOptions options;
  options.epochs = 6;
  options.lr = 0.02;
  options.accumulation = 2;
  options.ema_decay = 0.99;
  options.amp = Amp::kBf16;
  options.clip_norm = 1.0;
  options.warmup_steps = 3;
  options.log_every = 4;
  options.checkpoint_every_steps = 3;
  options.metric = "dice";
  options.metric_mode = MetricMode::kMax;
  options.threads = 2;
  OptionList list;
  options.visit(list);
  RunInfo info;
  info.threads = 2;
  info.add_options(list);

  int64_t batches = 0;
  TinyTask task(
      {.batches = 13, .dropout = 0.2, .on_loss = [&](int64_t, int64_t, const at::Tensor& loss) {
         if (++batches == kill_at_batch) std::raise(SIGKILL);
         return loss;
       }});
  Run run = Run::exists(folder) ? Run::resume(folder, info)
                                : Run::create(folder, info, Overwrite::kRefuse);
  if (kill_after_us > 0) {
    std::thread([kill_after_us] {
      std::this_thread::sleep_for(std::chrono::microseconds(kill_after_us));
      std::raise(SIGKILL);
    }).detach();
  }
  Progress progress;
  Trainer(task, run, options).fit(progress, CancelToken());
  return 0;
}

}  // namespace
}  // namespace voxloom::train

int main(int argc, char** argv) {
  try {
    return voxloom::train::run_child(
        argv[1], argc > 2 ? std::atoll(argv[2]) : 0, argc > 3 ? std::atoll(argv[3]) : 0);
  } catch (const std::exception& e) {
    std::cerr << e.what() << "\n";
    return 1;
  }
}
