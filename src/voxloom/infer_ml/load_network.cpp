#include <torch/torch.h>

#include "voxloom/core/error.h"
#include "voxloom/core/parallel.h"
#include "voxloom/infer_ml/sam2_network.h"
#include "voxloom/kernels/isa.h"
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
  prepare_encoder(*network, state, package.info.weights_sha256, package.folder, gate, runtime);
  return network;
}

void prepare_encoder(Sam2Network& network,
                     const weights::StateDict& state,
                     const std::string& weights_sha256,
                     const std::filesystem::path& folder,
                     bool bf16_gate_passed,
                     const infer::RuntimeOptions& runtime) {
  const engine::EncoderSource source{.network = network.model,
                                     .state = &state,
                                     .weights_sha256 = weights_sha256,
                                     .folder = folder,
                                     .bf16_gate_passed = bf16_gate_passed};
  network.encoder =
      engine::make_slice_encoder(source,
                                 {.engine = engine::parse_engine(runtime.engine),
                                  .precision = engine::parse_precision(runtime.precision)});
  if (network.encoder->engine() == engine::EngineKind::kOpenvino) {
    network.model->set_memory_encoder(
        engine::make_memory_encoder(source,
                                    {.engine = engine::EngineKind::kOpenvino,
                                     .precision = network.encoder->precision(),
                                     .threads = thread_budget()}));
  }
  // The same number format as the encoder; bf16 without hardware would only be slow.
  const bool bf16 =
      network.encoder->precision() == engine::Precision::kBf16 && kernels::has_fast_bf16();
  network.model->set_memory_backend(models::sam2::make_fast_memory_backend(
      network.model->memory_backend_parts(),
      bf16 ? kernels::Precision::kBf16 : kernels::Precision::kF32));
}

}  // namespace voxloom::infer_ml
