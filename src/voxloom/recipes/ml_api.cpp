// The table of functions that libvoxloom_ml.so hands to libvoxloom.so.
#include <nlohmann/json.hpp>

#include <torch/torch.h>
#include <torch/version.h>

#include "voxloom/build_id.h"
#include "voxloom/core/error.h"
#include "voxloom/engine/engine_options.h"
#include "voxloom/infer/ml_library.h"
#include "voxloom/infer_ml/bench.h"
#include "voxloom/infer_ml/cascade.h"
#include "voxloom/infer_ml/convert.h"
#include "voxloom/infer_ml/sam2_network.h"
#include "voxloom/infer_ml/sam_med2d_network.h"
#include "voxloom/infer_ml/wire_network.h"
#include "voxloom/kernels/isa.h"
#include "voxloom/models/sam_med2d/options.h"
#include "voxloom/models/wire/detector.h"
#include "voxloom/models/wire/wire_network.h"
#include "voxloom/recipes/segment/commands.h"
#include "voxloom/recipes/wire/commands.h"
#include "voxloom/recipes/wire/filter_report.h"
#include "voxloom/recipes/wire/track.h"

namespace voxloom::recipes {
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
  return translated([&]() -> std::unique_ptr<infer::Segmenter> {
    const auto found = weights::find_package(package);
    if (found.info.architecture == models::sam_med2d::kArchitecture) {
      return infer_ml::make_sam_med2d_segmenter(found, runtime);
    }
    return infer_ml::make_sam2_segmenter(infer_ml::load_network(package, runtime), runtime);
  });
}

ordered_json convert(const infer::ConvertOptions& options, Progress& progress) {
  return translated([&] { return infer_ml::convert_model(options, progress); });
}

ordered_json export_onnx(const infer::ExportOptions& options, Progress& progress) {
  return translated([&] { return infer_ml::export_model(options, progress); });
}

ordered_json run_bench(const std::string& name,
                       const std::string& package,
                       const infer::RuntimeOptions& runtime,
                       Progress& progress) {
  return translated([&] { return infer_ml::bench(name, package, runtime, progress); });
}

std::unique_ptr<infer::WireSegmenter> make_wire_segmenter(const std::string& package,
                                                          const infer::RuntimeOptions& runtime,
                                                          infer::TestAugmentation augmentation) {
  return translated([&] { return infer_ml::make_wire_segmenter(package, runtime, augmentation); });
}

ordered_json segment_train(const infer::SegmentTrainOptions& options,
                           const std::string& command_line,
                           bool force,
                           Progress& progress,
                           const CancelToken& stop) {
  return translated([&] { return segment::train(options, command_line, force, progress, stop); });
}

ordered_json wire_architectures() {
  auto list = ordered_json::array();
  auto entries = models::wire::wire_architectures();
  entries.push_back(models::wire::detector_architecture());
  for (const auto& entry : entries) {
    list.push_back({{"name", entry.name},
                    {"summary", entry.summary},
                    {"reference", entry.reference},
                    {"options", entry.default_options}});
  }
  return list;
}

ordered_json wire_train(const infer::WireTrainOptions& options,
                        const std::string& command_line,
                        bool force,
                        Progress& progress,
                        const CancelToken& stop) {
  return translated([&] { return wire::train(options, command_line, force, progress, stop); });
}

ordered_json wire_eval(const infer::WireEvalOptions& options,
                       Progress& progress,
                       const CancelToken& stop) {
  return translated([&] { return wire::evaluate(options, progress, stop); });
}

ordered_json wire_predict(const infer::WirePredictOptions& options,
                          const std::function<void(const std::string&)>& line,
                          Progress& progress,
                          const CancelToken& stop) {
  return translated([&] { return wire::predict(options, line, progress, stop); });
}

ordered_json wire_track(const infer::WireTrackCommand& options,
                        const std::function<void(const std::string&)>& line,
                        Progress& progress,
                        const CancelToken& stop) {
  return translated([&] { return wire::track(options, line, progress, stop); });
}

ordered_json wire_cascade(const infer::CascadeOptions& options) {
  return translated([&] {
    const auto package = infer_ml::make_cascade_package(options);
    return ordered_json{{"model", package.folder.string()},
                        {"parameters", package.info.parameters},
                        {"licence", package.info.licence},
                        {"options", package.info.options}};
  });
}

ordered_json wire_filters(const infer::FilterReportOptions& options,
                          Progress& progress,
                          const CancelToken& stop) {
  return translated([&] { return wire::filter_report(options, progress, stop); });
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
    .segment_train = segment_train,
    .convert_model = convert,
    .export_model = export_onnx,
    .bench = run_bench,
    .make_wire_segmenter = make_wire_segmenter,
    .wire_architectures = wire_architectures,
    .wire_train = wire_train,
    .wire_eval = wire_eval,
    .wire_predict = wire_predict,
    .wire_track = wire_track,
    .wire_cascade = wire_cascade,
    .wire_filters = wire_filters,
    .describe = describe,
};

}  // namespace
}  // namespace voxloom::recipes

extern "C" __attribute__((visibility("default"))) const voxloom::infer::MlApi* voxloom_ml_api() {
  return &voxloom::recipes::kApi;
}
