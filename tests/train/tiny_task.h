#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <torch/torch.h>

#include "voxloom/train/task.h"

namespace voxloom::train {

struct TinyTaskOptions {
  int64_t batches = 6;     ///< An epoch.
  int64_t batch_size = 4;  ///< On each rank.
  int64_t rank = 0, ranks = 1;
  int64_t side = 12;  ///< Of the images, pixels.
  int64_t channels = 8;
  bool norm = true;
  double dropout = 0.0;
  uint64_t seed = 7;
  /// Called with (epoch, batch) and the loss before it is returned: to spoil it, or to end.
  std::function<at::Tensor(int64_t, int64_t, const at::Tensor&)> on_loss;
  std::function<void()> on_validate;
  std::vector<double> scripted_score;  ///< Replaces "score", validation by validation.
};

/// Finds bright discs in noise with two convolutions: small enough for hundreds of steps a second.
/// Sample i of epoch e depends on the seed, e and i alone, so k batches of n hold what one of k n
/// holds, and so do the batches of k ranks together.
class TinyTask final : public Task {
 public:
  explicit TinyTask(TinyTaskOptions options);

  torch::nn::Module& network() override { return *network_; }
  int64_t steps_per_epoch() override { return options_.batches; }
  void begin_epoch(int64_t epoch, int64_t epochs, int64_t first_step) override;
  Step step() override;
  Metrics validate(Progress& progress, const CancelToken& stop) override;
  std::vector<Picture> pictures() override;
  void write_model(const std::filesystem::path& folder, const Metrics& metrics) override;

  [[nodiscard]] const torch::nn::Module& trained_network() const { return *network_; }

  int64_t steps_taken = 0, validations = 0, models_written = 0;
  std::vector<int64_t> first_steps;  ///< What begin_epoch was told.

 private:
  struct Batch {
    at::Tensor image, target;
  };
  [[nodiscard]] Batch make_batch(uint64_t epoch, int64_t first, int64_t count) const;

  TinyTaskOptions options_;
  torch::nn::Sequential network_;
  int64_t epoch_ = 0, batch_ = 0;
};

}  // namespace voxloom::train
