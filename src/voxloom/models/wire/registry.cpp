// Every wire network. Add a line here, a graph in engine/wire_onnx.cpp and a key list in
// tests/golden/guidewire/keys.
#include "voxloom/core/error.h"
#include "voxloom/models/wire/fga_net.h"
#include "voxloom/models/wire/hessian_net.h"
#include "voxloom/models/wire/light_unet.h"
#include "voxloom/models/wire/temporal_unet.h"
#include "voxloom/models/wire/wire_network.h"
#include "voxloom/models/wire/wire_options.h"

namespace voxloom::models::wire {

namespace {

struct Entry {
  WireArchitecture description;
  std::shared_ptr<WireNetwork> (*make)(const nlohmann::ordered_json& options,
                                       const std::string& where,
                                       at::Generator generator);
};

template <class Network, class Options, Options (*defaults)()>
Entry entry(const char* name, const char* summary, const char* reference) {
  return {{name, summary, reference, options_json(defaults())},
          [](const nlohmann::ordered_json& json,
             const std::string& where,
             at::Generator generator) -> std::shared_ptr<WireNetwork> {
            auto network = std::make_shared<Network>(read_options(json, where, defaults()));
            network->initialise(std::move(generator));
            return network;
          }};
}

template <class Options>
Options plain() {
  return {};
}

const std::vector<Entry>& entries() {
  static const std::vector<Entry> list{
      entry<LightUnet, LightUnetOptions, plain<LightUnetOptions>>(
          "light-unet", "real-time U-Net with a full-resolution path", "own design"),
      entry<LightUnet, LightUnetOptions, fine_unet_options>(
          "fine-unet", "wider light-unet with residual convolutions everywhere", "own design"),
      entry<HessianNet, HessianNetOptions, plain<HessianNetOptions>>(
          "hessian-net",
          "Hessian eigenvalues and dual attention, for crops",
          "after Zhang et al. 2024 (layer widths our own)"),
      entry<FgaNet, FgaNetOptions, plain<FgaNetOptions>>(
          "fga-net",
          "U-Net with shift deformable attention and guided aggregation, 45 M parameters",
          "Quant. Imaging Med. Surg. 2025, article 136604"),
      entry<FgaNet, FgaNetOptions, fga_light_options>(
          "fga-net-light",
          "FGA-Net of half the width for one grey channel",
          "Quant. Imaging Med. Surg. 2025, article 136604"),
      entry<TemporalUnet, TemporalUnetOptions, plain<TemporalUnetOptions>>(
          "temporal-unet",
          "four frames as channels, seven levels of residual blocks",
          "Ambrosini et al. 2017, arXiv:1707.05137"),
  };
  return list;
}

}  // namespace

const std::vector<WireArchitecture>& wire_architectures() {
  static const std::vector<WireArchitecture> list = [] {
    std::vector<WireArchitecture> made;
    for (const Entry& entry : entries()) made.push_back(entry.description);
    return made;
  }();
  return list;
}

std::shared_ptr<WireNetwork> make_wire_network(const std::string& architecture,
                                               const nlohmann::ordered_json& options,
                                               uint64_t seed) {
  std::string names;
  for (const Entry& entry : entries()) {
    if (entry.description.name == architecture) {
      return entry.make(options, architecture, at::make_generator<at::CPUGeneratorImpl>(seed));
    }
    names += (names.empty() ? "" : ", ") + entry.description.name;
  }
  throw Error(
      ErrorCode::kInvalidArgument,
      format("wire network: architecture must be one of {}, got '{}'", names, architecture));
}

}  // namespace voxloom::models::wire
