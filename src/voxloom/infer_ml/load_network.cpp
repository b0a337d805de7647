#include <torch/torch.h>

#include "voxloom/core/error.h"
#include "voxloom/core/parallel.h"
#include "voxloom/infer_ml/sam2_network.h"
#include "voxloom/weights/package.h"

namespace voxloom::infer_ml {

std::shared_ptr<Sam2Network> load_network(const std::string& name,
                                          const infer::RuntimeOptions& runtime) {
  const torch::NoGradGuard no_grad;
  VOXLOOM_CHECK(runtime.device == "cpu",
                ErrorCode::kUnsupported,
                "device '{}': this build computes on the cpu only",
                runtime.device);
  at::set_num_threads(thread_budget());
  const auto package = weights::find_package(name);
  const auto state = weights::read_package_weights(package);
  auto network = std::make_shared<Sam2Network>();
  network->name = package.name();
  network->model = models::sam2::load_sam2(state,
                                           package.info.variant,
                                           (package.folder / weights::kWeightsFile).string(),
                                           tensor::LoadMode::kAlias);
  const bool gate = package.info.bf16 && package.info.bf16->passed;
  network->encoder =
      engine::make_slice_encoder({.network = network->model,
                                  .state = &state,
                                  .weights_sha256 = package.info.weights_sha256,
                                  .folder = package.folder,
                                  .bf16_gate_passed = gate},
                                 {.engine = engine::parse_engine(runtime.engine),
                                  .precision = engine::parse_precision(runtime.precision)});
  return network;
}

}  // namespace voxloom::infer_ml
