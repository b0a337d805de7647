// Writes ONNX files, and what libtorch computes for the same inputs, for onnx_oracle_test.py.
//
// usage: onnx_oracle_tool VARIANT|shrunken|sam-med2d FOLDER
#include <iostream>

#include <torch/torch.h>

#include "voxloom/core/npz.h"
#include "voxloom/engine/sam2_onnx.h"
#include "voxloom/engine/sam_med2d_onnx.h"

#include "../models/sam_med2d_fixture.h"
#include "engine_fixture.h"

namespace {

voxloom::NamedArray array_of(const std::string& name, const at::Tensor& tensor) {
  const at::Tensor kept = tensor.contiguous();
  return voxloom::make_array<float>(
      name,
      kept.sizes().vec(),
      std::span(kept.const_data_ptr<float>(), static_cast<size_t>(kept.numel())));
}

/// The shrunken SAM-Med2D and its inputs; what it answers is in the golden file.
void write_sam_med2d(const std::filesystem::path& folder) {
  using namespace voxloom;
  namespace med2d = models::sam_med2d;
  const auto options = med2d::shrunken_options();
  const auto state = med2d::stand_in_state(options);
  engine::sam_med2d_encoder_graph(options, state).save(folder / "encoder.onnx");
  engine::sam_med2d_decoder_graph(options, state).save(folder / "decoder.onnx");
  std::vector<NamedArray> arrays{array_of("image", med2d::stand_in_image())};
  for (const auto& item : med2d::golden_cases()) {
    if (item.name == "mask") continue;  // the graph takes at least one point
    const auto prompt = med2d::golden_prompt(item);
    arrays.push_back(array_of(item.name + ".points", prompt.coords));
    arrays.push_back(array_of(item.name + ".labels", prompt.labels));
    if (item.mask) arrays.push_back(array_of(item.name + ".mask", med2d::golden_mask(item)));
  }
  write_npz(folder / "inputs.npz", arrays, Overwrite::kReplace, NpzCompression::kStored);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace voxloom;
  if (argc != 3) {
    std::cerr << "usage: onnx_oracle_tool VARIANT|shrunken|sam-med2d FOLDER\n";
    return 2;
  }
  try {
    const torch::NoGradGuard no_grad;
    const std::string variant = argv[1];
    const std::filesystem::path folder = argv[2];
    if (variant == "sam-med2d") {
      write_sam_med2d(folder);
      return 0;
    }
    engine::StandIn stand_in(variant == "shrunken" ? models::sam2::shrunken_options()
                                                   : models::sam2::variant_options(variant));
    const auto encoder = engine::sam2_encoder_graph(stand_in.options, stand_in.state);
    encoder.save(folder / "encoder.onnx");
    encoder.save(folder / "encoder_external.onnx", {.external_data_above = 0});
    engine::sam2_decoder_graph(stand_in.options, stand_in.state).save(folder / "decoder.onnx");

    std::vector<NamedArray> arrays;
    const auto add = [&](const std::string& name, const at::Tensor& tensor) {
      arrays.push_back(array_of(name, tensor));
    };
    auto& network = stand_in.network;
    const at::Tensor image = variant == "shrunken" ? models::sam2::golden_images().slice(0, 0, 1)
                                                   : engine::stand_in_image(stand_in.options);
    const auto features = network->encode_image(image);
    add("image", image);
    if (features.f0.defined()) add("f0", features.f0);
    if (features.f1.defined()) add("f1", features.f1);
    add("f2", features.f2);
    const at::Tensor conditioned = network->without_memory(features.f2);
    add("conditioned", conditioned);
    const auto s = static_cast<double>(stand_in.options.image_size);
    const int64_t fine = stand_in.options.mask_size();
    const at::Tensor mask =
        8.0 * models::sam2::keyed_uniform("input.prev_logits", {1, 1, fine, fine});
    add("mask", mask);
    for (int64_t count = 1; count <= 9; count += 4) {
      const at::Tensor points =
          (models::sam2::keyed_uniform("points", {1, count, 2}) + 1.0) * (s / 2.0);
      const at::Tensor labels =
          torch::arange(count, torch::kLong).remainder(5).view({1, count}) - 1;
      for (const bool with_mask : {false, true}) {
        const auto heads = network->heads(
            conditioned,
            features,
            {.points = points, .labels = labels, .mask = with_mask ? mask : at::Tensor()},
            true,
            {.enabled = false});
        const std::string prefix =
            "heads." + std::to_string(count) + (with_mask ? ".mask." : ".plain.");
        add(prefix + "points", points);
        add(prefix + "labels", labels.to(torch::kFloat));
        add(prefix + "masks", heads.masks);
        add(prefix + "ious", heads.ious);
        add(prefix + "score", heads.score);
        add(prefix + "pointer", heads.pointer);
      }
    }
    write_npz(folder / "expected.npz", arrays, Overwrite::kReplace, NpzCompression::kStored);
  } catch (const std::exception& e) {
    std::cerr << e.what() << "\n";
    return 1;
  }
  return 0;
}
