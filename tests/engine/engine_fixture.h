#pragma once

#include <atomic>
#include <filesystem>
#include <string>
#include <vector>

#include <unistd.h>

#include "voxloom/engine/network.h"
#include "voxloom/weights/generated.h"

#include "../models/sam2_fixture.h"

namespace voxloom::engine {

/// A folder of its own that goes away.
class TempFolder {
 public:
  TempFolder() {
    static std::atomic<int> counter{0};
    path_ = std::filesystem::temp_directory_path() /
            ("voxloom-engine-" + std::to_string(::getpid()) + "-" + std::to_string(counter++));
    std::filesystem::create_directories(path_);
  }
  ~TempFolder() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// A network with stand-in weights.
struct StandIn {
  explicit StandIn(const models::sam2::Sam2Options& wanted)
      : options(wanted), state(models::sam2::golden_state(wanted)), network(wanted) {
    tensor::load_state_dict(*network, state, "stand-in", tensor::LoadMode::kAlias);
    network->eval();
  }

  [[nodiscard]] EncoderSource source() const {
    return {.network = network,
            .state = &state,
            .weights_sha256 = "stand-in " + options.variant,
            .folder = {},
            .bf16_gate_passed = false};
  }

  const models::sam2::Sam2Options options;
  const weights::StateDict state;
  models::sam2::Sam2 network;
};

inline at::Tensor stand_in_image(const models::sam2::Sam2Options& options) {
  return 2.0 * models::sam2::keyed_uniform("input.images",
                                           {1, 3, options.image_size, options.image_size});
}

/// |a - b| / |b|.
inline double relative_error(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).norm() / b.norm()).item<double>();
}

}  // namespace voxloom::engine
