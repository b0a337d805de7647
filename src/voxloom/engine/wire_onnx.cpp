#include "voxloom/engine/wire_onnx.h"

#include "voxloom/core/error.h"
#include "voxloom/engine/wire_onnx_graphs.h"
#include "voxloom/models/wire/wire_network.h"
#include "voxloom/tensor/load.h"

namespace voxloom::engine {

namespace {

struct Body {
  const char* architecture;
  OnnxValue (*add)(OnnxFolding& layers,
                   const OnnxValue& image,
                   const nlohmann::ordered_json& options);
};

constexpr Body kBodies[] = {
    {"light-unet", &light_unet_graph},
    {"fine-unet", &light_unet_graph},
    {"hessian-net", &hessian_net_graph},
    {"fga-net", &fga_net_graph},
    {"fga-net-light", &fga_net_graph},
    {"temporal-unet", &temporal_unet_graph},
};

}  // namespace

bool wire_takes_bf16(const std::string& architecture) {
  return architecture != "hessian-net" && !architecture.starts_with("fga-net");
}

OnnxGraph wire_graph(const std::string& architecture,
                     const nlohmann::ordered_json& options,
                     const weights::StateDict& state,
                     const WireGraphSize& size) {
  // The module checks name and options, fills in what was left out, and knows its sizes.
  const auto network = models::wire::make_wire_network(architecture, options, 0);
  const int64_t multiple = network->size_multiple();
  VOXLOOM_CHECK(size.height > 0 && size.width > 0 && size.height % multiple == 0 &&
                    size.width % multiple == 0,
                ErrorCode::kInvalidArgument,
                "{}: height and width must be multiples of {}, got {} x {}",
                architecture,
                multiple,
                size.height,
                size.width);
  const tensor::KeyDiff diff = tensor::diff_keys(tensor::named_shapes(*network), state);
  VOXLOOM_CHECK(diff.empty(),
                ErrorCode::kDataCorrupt,
                "{}: weights must fit the network, got {}",
                architecture,
                diff.describe());
  nlohmann::ordered_json complete;
  std::string reference;
  for (const auto& known : models::wire::wire_architectures()) {
    if (known.name != architecture) continue;
    complete = known.default_options;
    reference = known.summary;
  }
  if (options.is_object()) complete.update(options);

  OnnxGraph graph(architecture, reference);
  const std::vector<OnnxDim> map{int64_t{1}, int64_t{1}, size.height, size.width};
  const OnnxValue image = graph.input(kWireInput,
                                      OnnxType::kF32,
                                      {int64_t{1}, network->in_channels(), size.height, size.width},
                                      "the frame, normalised");
  OnnxFolding layers(graph, state);
  for (const Body& body : kBodies) {
    if (architecture != body.architecture) continue;
    const OnnxValue logits = body.add(layers, image, complete);
    graph.set_scope("");
    graph.output(logits, kWireLogits, map, "log odds of the object");
    graph.output(graph.unary("Sigmoid", logits), kWireProbability, map, "sigmoid of the logits");
    return graph;
  }
  throw Error(ErrorCode::kUnsupported,
              format("wire network '{}': must have an ONNX form", architecture));
}

}  // namespace voxloom::engine
