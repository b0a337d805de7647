#include "voxloom/engine/export.h"

#include <functional>

#include <nlohmann/json.hpp>

#include "voxloom/core/error.h"
#include "voxloom/engine/onnx_weights.h"
#include "voxloom/engine/sam2_onnx.h"
#include "voxloom/engine/sam_med2d_onnx.h"
#include "voxloom/models/sam2/detect.h"
#include "voxloom/models/sam_med2d/options.h"

namespace voxloom::engine {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

Json ports_json(const std::vector<OnnxPort>& ports) {
  Json list = Json::array();
  for (const OnnxPort& port : ports) {
    Json shape = Json::array();
    for (const OnnxDim& dim : port.shape) {
      if (const auto* number = std::get_if<int64_t>(&dim)) {
        shape.push_back(*number);
      } else {
        shape.push_back(std::get<std::string>(dim));
      }
    }
    list.push_back(
        {{"name", port.name}, {"type", "float32"}, {"shape", shape}, {"what", port.doc}});
  }
  return list;
}

Json write_graph(OnnxGraph graph,
                 const weights::PackageInfo& info,
                 const fs::path& folder,
                 const char* name) {
  graph.metadata("variant", info.variant);
  graph.metadata("weights_sha256", info.weights_sha256);
  graph.metadata("licence", info.licence);
  graph.save(folder / name);
  return {{"file", name},
          {"bytes", fs::file_size(folder / name)},
          {"nodes", graph.node_count()},
          {"inputs", ports_json(graph.inputs())},
          {"outputs", ports_json(graph.outputs())}};
}

/// What one family puts into the files.
struct Export {
  std::function<OnnxGraph()> encoder, decoder;
  int64_t image_size = 0;
  Json more;  ///< Further entries of onnx.json.
};

void check_keys(const weights::Package& package, const tensor::KeyDiff& problems) {
  VOXLOOM_CHECK(problems.empty(),
                ErrorCode::kDataCorrupt,
                "package '{}': {}",
                package.name(),
                problems.describe());
}

/// `state` must outlive the result.
Export sam2_export(const weights::Package& package, const weights::StateDict& state) {
  const auto options =
      models::sam2::detect_options(state, package.info.variant, weights::kWeightsFile);
  check_keys(package, models::sam2::check_keys(options, state));
  Export result;
  result.encoder = [options, &state] { return sam2_encoder_graph(options, state); };
  result.decoder = [options, &state] { return sam2_decoder_graph(options, state); };
  result.image_size = options.image_size;
  // Belongs to neither graph: what replaces memory on a slice that reads none.
  const OnnxTensor no_memory = OnnxWeights(state).tensor("no_mem_embed", {1, 1, options.d_model});
  result.more["no_mem_embed"] =
      std::vector<float>(no_memory.values.begin(), no_memory.values.end());
  result.more["notes"] = {
      "Points are in pixels of the image_size x image_size image, (x, y); half a pixel and the "
      "padding point are added inside.",
      "A box is two points with labels 2 and 3, before all others. No prompt: one point, label -1.",
      "For a slice that reads no memory, add no_mem_embed (one number a channel) to f2 before the "
      "decoder.",
      "masks[0] answers boxes and two or more points; the best of masks[1..3] by ious answers a "
      "single point or none."};
  return result;
}

/// `state` must outlive the result.
Export sam_med2d_export(const weights::Package& package, const weights::StateDict& state) {
  namespace med2d = models::sam_med2d;
  const auto options = med2d::options_from_json(package.info.options, package.folder.string());
  check_keys(package, tensor::diff_keys(med2d::expected_keys(options), state));
  Export result;
  result.encoder = [options, &state] { return sam_med2d_encoder_graph(options, state); };
  result.decoder = [options, &state] { return sam_med2d_decoder_graph(options, state); };
  result.image_size = options.image_size;
  result.more["notes"] = {
      "The picture is RGB of 0 to 255, normalised, then resized to image_size x image_size with "
      "the "
      "nearest pixel; its shape is not kept. Points are in pixels of that image, (x, y): "
      "x * image_size / width.",
      "Points without a box want one more point (0, 0) with label -1; a box is two points with "
      "labels 2 and 3 and wants none.",
      "The answer is the one of masks[1..3] with the highest iou_predictions; above 0 is inside.",
      "To refine, give all points again with mask_input = sigmoid(low_res_masks) of that mask."};
  return result;
}

}  // namespace

Json export_onnx(const weights::Package& package,
                 const fs::path& folder,
                 Overwrite overwrite,
                 Progress& progress) {
  const weights::PackageInfo& info = package.info;
  VOXLOOM_CHECK(info.task == "segment",
                ErrorCode::kUnsupported,
                "package '{}': only networks for 'segment' can be exported, got task '{}'",
                package.name(),
                info.task);
  std::error_code error;
  fs::create_directories(folder, error);
  for (const char* name : {kEncoderOnnx, kDecoderOnnx, kOnnxJson}) {
    check_output(folder / name, overwrite);
  }
  const weights::StateDict state = weights::read_package_weights(package);
  const Export graphs = info.architecture == models::sam_med2d::kArchitecture
                            ? sam_med2d_export(package, state)
                            : sam2_export(package, state);

  Json result{{"format", "voxloom-onnx"},
              {"format_version", 1},
              {"opset", 17},
              {"variant", info.variant},
              {"weights_sha256", info.weights_sha256},
              {"licence", info.licence},
              {"image_size", graphs.image_size},
              {"preprocessing", info.preprocessing}};
  progress.begin("write onnx", 2);
  result["encoder"] = write_graph(graphs.encoder(), info, folder, kEncoderOnnx);
  progress.advance(1);
  result["decoder"] = write_graph(graphs.decoder(), info, folder, kDecoderOnnx);
  progress.advance(1);
  progress.end();
  result.update(graphs.more);
  AtomicFile file(folder / kOnnxJson, Overwrite::kReplace);
  file.write(result.dump(2) + "\n");
  file.commit();
  return result;
}

}  // namespace voxloom::engine
