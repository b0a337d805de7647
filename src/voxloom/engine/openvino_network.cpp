#include "voxloom/engine/openvino_network.h"

#include <chrono>
#include <cstring>
#include <fstream>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/core/log.h"
#include "voxloom/core/mapped_file.h"
#include "voxloom/core/sha256.h"
#include "voxloom/kernels/cpu_features.h"

#ifdef VOXLOOM_HAVE_OPENVINO

#include <openvino/openvino.hpp>

#include <ATen/ATen.h>

namespace voxloom::engine {

namespace {

namespace fs = std::filesystem;

constexpr const char* kDevice = "CPU";

// Loading the plugins takes time and memory: one for the process.
ov::Core& core() {
  static ov::Core instance;
  return instance;
}

ov::AnyMap properties(Precision precision, int threads) {
  return {ov::hint::performance_mode(ov::hint::PerformanceMode::LATENCY),
          ov::hint::inference_precision(precision == Precision::kBf16 ? ov::element::bf16
                                                                      : ov::element::f32),
          ov::inference_num_threads(threads),
          ov::num_streams(1),
          // The threads belong to a process that does other work on the same cores as well.
          ov::hint::enable_cpu_pinning(false)};
}

// 16 hexadecimal digits are enough to tell the files of one cache apart.
std::string digest(const std::string& text) {
  return sha256_hex(text).substr(0, 16);
}

std::string compiled_name(const OpenvinoSource& source, Precision precision) {
  const std::string setting = format(
      "{}|{}|{}", source.key, ov::get_openvino_version().buildNumber, kernels::cpu_features_text());
  return format("{}-{}-{}.compiled", source.name, precision_name(precision), digest(setting));
}

// The graph as a file that OpenVINO maps; empty where no folder can be written.
fs::path onnx_file(const OpenvinoSource& source, const FileCache& cache, OpenvinoStart& start) {
  const std::string name = format("{}-{}.onnx", source.name, digest(source.key));
  if (!source.folder.empty()) {
    std::error_code error;
    const fs::path path = source.folder / name;
    start.onnx_cache = fs::is_regular_file(path, error);
    if (start.onnx_cache) return path;
  }
  if (const auto known = cache.find(name)) {
    start.onnx_cache = true;
    return *known;
  }
  const OnnxGraph graph = source.graph();
  if (!source.folder.empty()) {
    try {
      graph.save(source.folder / name);
      return source.folder / name;
    } catch (const Error& e) {
      VOXLOOM_LOG_DEBUG("openvino: '{}' is not kept in the package: {}", name, e.what());
    }
  }
  const auto kept = cache.store(name, [&](const fs::path& path) { graph.save(path); });
  return kept.value_or(fs::path());
}

}  // namespace

struct OpenvinoNetwork::Compiled {
  ov::CompiledModel model;
  ov::InferRequest request;
  SharedBytes file;  // OpenVINO reads weights from the mapping
  // A tensor may have further names, those of nodes that OpenVINO folded into it.
  std::vector<std::pair<std::string, ov::Output<const ov::Node>>> outputs;
};

OpenvinoNetwork::OpenvinoNetwork(const OpenvinoSource& source,
                                 Precision precision,
                                 int threads,
                                 const FileCache& cache)
    : compiled_(std::make_unique<Compiled>()) {
  const auto begin = std::chrono::steady_clock::now();
  const ov::AnyMap settings = properties(precision, threads);
  const std::string name = compiled_name(source, precision);
  if (const auto path = cache.find(name)) {
    try {
      compiled_->file = map_file(*path);
      const auto bytes = compiled_->file.bytes;
      const ov::Tensor blob(ov::element::u8, {bytes.size()}, const_cast<std::byte*>(bytes.data()));
      compiled_->model = core().import_model(blob, kDevice, settings);
      start_.compiled_cache = true;
    } catch (const std::exception& e) {  // of another build, or damaged
      VOXLOOM_LOG_DEBUG("openvino: cached '{}' is made anew: {}", name, e.what());
      cache.remove(name);
    }
  }
  try {
    if (!start_.compiled_cache) {
      const fs::path file = onnx_file(source, cache, start_);
      std::shared_ptr<ov::Model> model =
          file.empty() ? core().read_model(source.graph().serialize(), ov::Tensor())
                       : core().read_model(file);
      compiled_->model = core().compile_model(model, kDevice, settings);
      cache.store(name, [&](const fs::path& path) {
        AtomicFile output(path, Overwrite::kReplace);
        std::ofstream stream(output.temporary_path(), std::ios::binary);
        compiled_->model.export_model(stream);
        stream.close();
        VOXLOOM_CHECK(stream.good(),
                      ErrorCode::kUnavailable,
                      "output '{}': could not be written",
                      path.string());
        output.commit();
      });
    }
    for (const std::string& output : source.outputs) {
      compiled_->outputs.emplace_back(output, compiled_->model.output(output));
    }
    compiled_->request = compiled_->model.create_infer_request();
  } catch (const ov::Exception& e) {
    throw Error(ErrorCode::kInternal,
                format("openvino: network '{}' must compile, got: {}", source.name, e.what()));
  }
  start_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

OpenvinoNetwork::~OpenvinoNetwork() = default;

std::vector<std::pair<std::string, at::Tensor>> OpenvinoNetwork::run(
    const std::vector<std::pair<std::string, at::Tensor>>& inputs) {
  std::vector<std::pair<std::string, at::Tensor>> results;
  try {
    for (const auto& [name, tensor] : inputs) {
      VOXLOOM_CHECK(tensor.is_contiguous() && tensor.scalar_type() == at::kFloat && tensor.is_cpu(),
                    ErrorCode::kInvalidArgument,
                    "openvino: input '{}' must be contiguous float32 on the cpu",
                    name);
      const ov::Shape shape(tensor.sizes().begin(), tensor.sizes().end());
      compiled_->request.set_tensor(
          name, ov::Tensor(ov::element::f32, shape, const_cast<void*>(tensor.const_data_ptr())));
    }
    for (const auto& [name, port] : compiled_->outputs) {
      if (!port.get_partial_shape().is_static()) {  // known after the run only
        results.emplace_back(name, at::Tensor());
        continue;
      }
      const ov::Shape shape = port.get_shape();
      const at::Tensor tensor =
          at::empty(std::vector<int64_t>(shape.begin(), shape.end()), at::kFloat);
      compiled_->request.set_tensor(port,
                                    ov::Tensor(ov::element::f32, shape, tensor.mutable_data_ptr()));
      results.emplace_back(name, tensor);
    }
    compiled_->request.infer();
    for (size_t i = 0; i < results.size(); ++i) {
      if (results[i].second.defined()) continue;
      const ov::Tensor made = compiled_->request.get_tensor(compiled_->outputs[i].second);
      const ov::Shape shape = made.get_shape();
      const at::Tensor tensor =
          at::empty(std::vector<int64_t>(shape.begin(), shape.end()), at::kFloat);
      std::memcpy(tensor.mutable_data_ptr(), made.data<float>(), made.get_byte_size());
      results[i].second = tensor;
    }
  } catch (const ov::Exception& e) {
    throw Error(ErrorCode::kInvalidArgument,
                format("openvino: the network must run on its inputs, got: {}", e.what()));
  }
  return results;
}

}  // namespace voxloom::engine

#else

namespace voxloom::engine {

struct OpenvinoNetwork::Compiled {};

OpenvinoNetwork::OpenvinoNetwork(const OpenvinoSource& source,
                                 Precision /*precision*/,
                                 int /*threads*/,
                                 const FileCache& /*cache*/) {
  throw Error(ErrorCode::kUnsupported,
              format("openvino: this build must have OpenVINO to run '{}'", source.name));
}

OpenvinoNetwork::~OpenvinoNetwork() = default;

std::vector<std::pair<std::string, at::Tensor>> OpenvinoNetwork::run(
    const std::vector<std::pair<std::string, at::Tensor>>& /*inputs*/) {
  return {};
}

}  // namespace voxloom::engine

#endif
