#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "voxloom/kernels/attention.h"

namespace voxloom::kernels {

void attention_reference(const AttentionShape& shape,
                         const float* q,
                         std::span<const KeySegment> segments,
                         float scale,
                         float* out) {
  for (int64_t n = 0; n < shape.queries; ++n) {
    std::vector<double> scores;
    for (const KeySegment& segment : segments) {
      for (int64_t r = 0; r < segment.rows; ++r) {
        double dot = 0.0;
        for (int64_t c = 0; c < shape.key_channels; ++c) {
          dot += static_cast<double>(q[n * shape.key_channels + c]) *
                 static_cast<double>(segment.keys[r * shape.key_channels + c]);
        }
        scores.push_back(dot * static_cast<double>(scale));
      }
    }
    const double top = *std::max_element(scores.begin(), scores.end());
    double total = 0.0;
    std::vector<double> sums(static_cast<size_t>(shape.value_channels), 0.0);
    size_t at = 0;
    for (const KeySegment& segment : segments) {
      for (int64_t r = 0; r < segment.rows; ++r) {
        const double p = std::exp(scores[at++] - top);
        total += p;
        for (int64_t c = 0; c < shape.value_channels; ++c) {
          sums[static_cast<size_t>(c)] +=
              p * static_cast<double>(segment.values[c * segment.value_stride + r]);
        }
      }
    }
    for (int64_t c = 0; c < shape.value_channels; ++c) {
      out[n * shape.value_channels + c] = static_cast<float>(sums[static_cast<size_t>(c)] / total);
    }
  }
}

}  // namespace voxloom::kernels
