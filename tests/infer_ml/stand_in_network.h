#pragma once

#include <memory>

#include "voxloom/infer_ml/sam2_network.h"
#include "voxloom/models/sam2/options.h"
#include "voxloom/weights/generated.h"

namespace voxloom::infer_ml {

/// A small network that takes every code path, with stand-in weights, run by libtorch.
inline std::shared_ptr<Sam2Network> small_network() {
  const auto options = models::sam2::shrunken_options();
  std::vector<weights::KeyShape> keys;
  for (const auto& key : models::sam2::expected_keys(options)) {
    keys.push_back({key.name, key.shape});
  }
  const auto state = weights::make_stand_in_weights(keys);
  auto network = std::make_shared<Sam2Network>();
  network->name = "small";
  network->model = models::sam2::Sam2(options);
  network->model->eval();
  tensor::load_state_dict(*network->model, state, "stand-in");
  network->encoder = engine::make_slice_encoder(
      {.network = network->model, .state = &state},
      {.engine = engine::EngineKind::kTorch, .precision = engine::Precision::kF32});
  return network;
}

}  // namespace voxloom::infer_ml
