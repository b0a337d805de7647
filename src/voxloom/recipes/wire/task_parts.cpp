#include "voxloom/recipes/wire/task_parts.h"

#include "voxloom/core/error.h"
#include "voxloom/tensor/load.h"
#include "voxloom/train/distributed/communicator.h"

namespace voxloom::recipes::wire {

void check_has_samples(const std::vector<dataset::Sample>& train,
                       const std::vector<dataset::Sample>& validation) {
  VOXLOOM_CHECK(!train.empty() && !validation.empty(),
                ErrorCode::kInvalidArgument,
                "--data: must hold samples that train and samples that validate (role val), got {} "
                "and {}",
                train.size(),
                validation.size());
}

data::LoaderOptions loader_options(const infer::WireTrainOptions& options,
                                   int64_t size_multiple,
                                   const train::Communicator* ranks) {
  const int64_t count = ranks != nullptr ? ranks->size() : 1;
  VOXLOOM_CHECK(options.batch % count == 0,
                ErrorCode::kInvalidArgument,
                "--batch: must be a multiple of the number of processes, {}, got {}",
                count,
                options.batch);
  VOXLOOM_CHECK(options.crop % size_multiple == 0,
                ErrorCode::kInvalidArgument,
                "--crop: must be a multiple of {} for this network, got {}",
                size_multiple,
                options.crop);
  return {.batch_size = options.batch,
          .rank = ranks != nullptr ? ranks->rank() : 0,
          .ranks = count,
          .crop = options.crop,
          .foreground_share = options.foreground_share,
          .pad_multiple = options.crop == 0 ? size_multiple : 1,
          .workers = options.workers,
          .cache_mb = options.cache_mb,
          .seed = static_cast<uint64_t>(options.trainer.seed),
          .augment = options.augment};
}

weights::Package start_package(const std::string& package, const std::string& architecture) {
  auto found = weights::find_package(package);
  VOXLOOM_CHECK(found.info.task == "wire" && found.info.architecture == architecture,
                ErrorCode::kInvalidArgument,
                "--init '{}': must be a wire package of the architecture {}, got {} {}",
                package,
                architecture,
                found.info.task,
                found.info.architecture);
  return found;
}

void load_start_weights(torch::nn::Module& network,
                        const std::string& package,
                        const std::string& architecture) {
  const auto found = start_package(package, architecture);
  tensor::load_state_dict(network,
                          weights::read_package_weights(found),
                          (found.folder / weights::kWeightsFile).string());
}

std::vector<train::ParameterGroup> matrices_and_others(torch::nn::Module& network) {
  train::ParameterGroup matrices, others{.weight_decay_factor = 0.0};
  for (auto& parameter : network.parameters()) {
    (parameter.dim() > 1 ? matrices : others).parameters.push_back(parameter);
  }
  return {std::move(matrices), std::move(others)};
}

}  // namespace voxloom::recipes::wire
