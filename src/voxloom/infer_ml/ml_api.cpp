// The table of functions that libvoxloom_ml.so hands to libvoxloom.so.
#include <nlohmann/json.hpp>

#include <torch/torch.h>
#include <torch/version.h>

#include "voxloom/build_id.h"
#include "voxloom/core/error.h"
#include "voxloom/engine/engine_options.h"
#include "voxloom/infer/ml_library.h"
#include "voxloom/infer_ml/bench.h"
#include "voxloom/infer_ml/convert.h"
#include "voxloom/infer_ml/sam2_network.h"
#include "voxloom/kernels/isa.h"

namespace voxloom::infer_ml {
namespace {

using nlohmann::ordered_json;

/// libtorch's errors carry a stack that means nothing to a user; its first line does.
template <class Call>
auto translated(Call call) -> decltype(call()) {
  try {
    return call();
  } catch (const c10::Error& e) {
    throw Error(ErrorCode::kInternal, e.what_without_backtrace());
  }
}

std::unique_ptr<infer::Segmenter> make_segmenter(const std::string& package,
                                                 const infer::RuntimeOptions& runtime) {
  return translated([&] { return make_sam2_segmenter(load_network(package, runtime), runtime); });
}

ordered_json convert(const infer::ConvertOptions& options, Progress& progress) {
  return translated([&] { return convert_model(options, progress); });
}

ordered_json export_onnx(const infer::ExportOptions& options, Progress& progress) {
  return translated([&] { return export_model(options, progress); });
}

ordered_json run_bench(const std::string& name,
                       const std::string& package,
                       const infer::RuntimeOptions& runtime,
                       Progress& progress) {
  return translated([&] { return bench(name, package, runtime, progress); });
}

ordered_json describe() {
  return {{"libtorch", TORCH_VERSION},
          {"openvino", engine::has_openvino()},
          {"bf16_in_hardware", engine::has_fast_bf16()},
          {"kernels_f32", kernels::isa_name(kernels::active_isa(kernels::Precision::kF32))},
          {"kernels_bf16", kernels::isa_name(kernels::active_isa(kernels::Precision::kBf16))},
          {"cuda", torch::cuda::is_available()}};
}

constexpr infer::MlApi kApi = {
    .build_id = VOXLOOM_BUILD_ID,
    .make_segmenter = make_segmenter,
    .convert_model = convert,
    .export_model = export_onnx,
    .bench = run_bench,
    .describe = describe,
};

}  // namespace
}  // namespace voxloom::infer_ml

extern "C" __attribute__((visibility("default"))) const voxloom::infer::MlApi* voxloom_ml_api() {
  return &voxloom::infer_ml::kApi;
}
