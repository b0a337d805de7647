#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <torch/torch.h>

#include "voxloom/core/cancel.h"
#include "voxloom/core/progress.h"

namespace voxloom::train {

/// Named numbers of a step or a validation, in order of name.
using Metrics = std::map<std::string, double>;

/// Parameters that share a factor of the learning rate and the weight decay.
struct ParameterGroup {
  std::vector<at::Tensor> parameters;
  double lr_factor = 1.0;
  double weight_decay_factor = 1.0;
};

/// The loss of one batch.
struct Step {
  at::Tensor loss;    ///< Scalar, float32, with gradient.
  Metrics terms;      ///< Its parts, for the log.
  int64_t items = 0;  ///< Samples in the batch.
  std::string batch;  ///< Which batch it was, for the message when the loss is not finite.
  double loader_wait_s = 0.0;
};

/// A picture for the log and the report.
struct Picture {
  std::string name;
  int64_t width = 0, height = 0;
  std::vector<uint8_t> rgb;  ///< [H, W, 3]
};

/// What a recipe gives the trainer: data, network and loss. The trainer owns everything else:
/// optimiser, schedule, mixed precision, averaging, checkpoints, logs.
///
/// Determinism: what step s of epoch e computes must depend on the seed, e and s alone (draw random
/// numbers from Rng(seed, stream made of epoch and step), never from a state that runs on).
class Task {
 public:
  virtual ~Task() = default;
  [[nodiscard]] virtual torch::nn::Module& network() = 0;
  /// By default all parameters in one group.
  [[nodiscard]] virtual std::vector<ParameterGroup> parameter_groups();
  [[nodiscard]] virtual int64_t steps_per_epoch() = 0;
  /// Epoch `epoch` of `epochs` begins at step `first_step` (not 0 when a run resumes).
  virtual void begin_epoch(int64_t epoch, int64_t epochs, int64_t first_step) = 0;
  /// Forward pass and loss of the next batch. Called inside autocast when that is on; losses must
  /// be computed in float32.
  [[nodiscard]] virtual Step step() = 0;
  /// Metrics on the validation data, with the network as it is (averaged weights when those are
  /// used). Names of at least the one that early stopping watches.
  [[nodiscard]] virtual Metrics validate(Progress& progress, const CancelToken& stop) = 0;
  /// A few pictures of the last validation, for TensorBoard and the report.
  [[nodiscard]] virtual std::vector<Picture> pictures() { return {}; }
  /// Writes the model package of the present weights, replacing an old one.
  virtual void write_model(const std::filesystem::path& folder, const Metrics& metrics) = 0;
};

}  // namespace voxloom::train
