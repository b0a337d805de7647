#include "voxloom/metrics/overlap.h"

#include <vector>

#include "voxloom/core/error.h"

namespace voxloom::metrics {
namespace {

void check_lengths(size_t truth, size_t predicted) {
  VOXLOOM_CHECK(truth == predicted,
                ErrorCode::kInvalidArgument,
                "overlap: truth and prediction must have one length, got {} and {}",
                truth,
                predicted);
}

template <class T, class Inside>
Overlap count(std::span<const T> truth, std::span<const T> predicted, Inside inside) {
  check_lengths(truth.size(), predicted.size());
  Overlap o;
  for (size_t i = 0; i < truth.size(); ++i) {
    const bool a = inside(truth[i]), b = inside(predicted[i]);
    o.both += a && b;
    o.truth_only += a && !b;
    o.predicted_only += b && !a;
  }
  return o;
}

}  // namespace

Overlap count_overlap(std::span<const uint16_t> truth,
                      std::span<const uint16_t> predicted,
                      uint16_t value) {
  return count(truth, predicted, [=](uint16_t v) { return v == value; });
}

Overlap count_overlap(std::span<const uint8_t> truth, std::span<const uint8_t> predicted) {
  return count(truth, predicted, [](uint8_t v) { return v != 0; });
}

std::map<uint16_t, Overlap> count_overlaps(std::span<const uint16_t> truth,
                                           std::span<const uint16_t> predicted) {
  check_lengths(truth.size(), predicted.size());
  std::vector<Overlap> table(65536);
  for (size_t i = 0; i < truth.size(); ++i) {
    const uint16_t a = truth[i], b = predicted[i];
    if (a == b) {
      ++table[a].both;
    } else {
      ++table[a].truth_only;
      ++table[b].predicted_only;
    }
  }
  std::map<uint16_t, Overlap> out;
  for (size_t value = 1; value < table.size(); ++value) {
    if (table[value] != Overlap{}) out[static_cast<uint16_t>(value)] = table[value];
  }
  return out;
}

}  // namespace voxloom::metrics
