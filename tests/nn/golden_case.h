#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include <torch/torch.h>

#include "voxloom/core/atomic_file.h"

namespace voxloom::nn {

/// The 32x32 curve of tests/golden/guidewire/losses_metrics_32x32.json (values of the authors' own
/// code): a target, a shifted prediction with a gap and a false line, and every number.
struct GoldenCase {
  nlohmann::json numbers;
  at::Tensor p, y;  ///< [1, 1, 32, 32] double.

  GoldenCase()
      : numbers(nlohmann::json::parse(read_text_file(std::string(VOXLOOM_DEFAULT_GOLDEN_DIR) +
                                                     "/guidewire/losses_metrics_32x32.json"))),
        p(torch::zeros({1, 1, 32, 32}, torch::kDouble)),
        y(torch::zeros({1, 1, 32, 32}, torch::kDouble)) {
    for (int64_t row = 0; row < 32; ++row) {
      const auto& values = numbers["pred"][static_cast<size_t>(row)];
      const auto text = numbers["gt_rows"][static_cast<size_t>(row)].get<std::string>();
      for (int64_t column = 0; column < 32; ++column) {
        const auto at = static_cast<size_t>(column);
        p[0][0][row][column] = values[at].get<double>();
        y[0][0][row][column] = text[at] == '1' ? 1.0 : 0.0;
      }
    }
  }
  [[nodiscard]] double number(const std::string& pointer) const {
    return numbers.at(nlohmann::json::json_pointer(pointer)).get<double>();
  }
};

}  // namespace voxloom::nn
