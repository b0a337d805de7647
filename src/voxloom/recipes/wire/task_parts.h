#pragma once

#include <string>
#include <vector>

#include "voxloom/data/loader_options.h"
#include "voxloom/dataset/sample.h"
#include "voxloom/infer/wire_options.h"
#include "voxloom/train/task.h"
#include "voxloom/weights/package.h"

namespace voxloom::train {
class Communicator;
}

namespace voxloom::recipes::wire {

// What the training tasks of wire networks share.

/// Throws kInvalidArgument unless there is something to train and to validate on.
void check_has_samples(const std::vector<dataset::Sample>& train,
                       const std::vector<dataset::Sample>& validation);

/// Of this rank, or of the only process (`ranks` null). Throws kInvalidArgument when the crop does
/// not fit a network of this size multiple, or the batch the number of processes.
[[nodiscard]] data::LoaderOptions loader_options(const infer::WireTrainOptions& options,
                                                 int64_t size_multiple,
                                                 const train::Communicator* ranks = nullptr);

/// The package of --init. Throws kInvalidArgument for another architecture.
[[nodiscard]] weights::Package start_package(const std::string& package,
                                             const std::string& architecture);

/// Loads the weights of that package.
void load_start_weights(torch::nn::Module& network,
                        const std::string& package,
                        const std::string& architecture);

/// Biases and the factors of norms are not pulled towards 0.
[[nodiscard]] std::vector<train::ParameterGroup> matrices_and_others(torch::nn::Module& network);

}  // namespace voxloom::recipes::wire
