#pragma once

#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace voxloom::test {

/// tests/golden/guidewire/<name>: values of reference programs (spec of the guidewire job).
inline nlohmann::ordered_json guidewire_golden(const std::string& name) {
  std::ifstream file(std::string(VOXLOOM_SOURCE_DIR) + "/tests/golden/guidewire/" + name);
  return nlohmann::ordered_json::parse(file);
}

/// The 32x32 example: a sine-shaped wire, and a prediction of it that is shifted by a pixel, has a
/// gap and a false straight line.
struct WireExample {
  static constexpr int64_t kSize = 32;
  nlohmann::ordered_json golden = guidewire_golden("losses_metrics_32x32.json");
  std::vector<uint8_t> truth;
  std::vector<float> probability;
  std::vector<uint8_t> predicted;  ///< Above 0.5.

  WireExample() {
    for (const std::string row : golden.at("gt_rows")) {
      for (const char c : row) truth.push_back(c == '1');
    }
    for (const auto& row : golden.at("pred")) {
      for (const auto& v : row) {
        probability.push_back(v.get<float>());
        predicted.push_back(v.get<double>() > 0.5);
      }
    }
  }
};

}  // namespace voxloom::test
