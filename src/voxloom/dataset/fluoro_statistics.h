#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "voxloom/dataset/fluoro_sequence.h"
#include "voxloom/image/canvas.h"

namespace voxloom::dataset {

/// How hard a simulated set is: histogram of the contrast-to-noise ratio of single wire pixels, per
/// dose. Adding is not thread-safe.
class FluoroCnrHistogram {
 public:
  static constexpr double kBinWidth = 0.1, kHighest = 6.0;

  FluoroCnrHistogram();
  /// The wire pixels of one frame. Doses are kept apart in classes: up to 10, 20, 45, 100 nGy,
  /// more.
  void add(double dose_ngy, const FluoroFrame& frame);
  void merge(const FluoroCnrHistogram& other);

  [[nodiscard]] nlohmann::ordered_json to_json() const;
  /// A bar chart, one row a dose class.
  [[nodiscard]] image::Canvas draw() const;

 private:
  struct DoseClass {
    int64_t frames = 0, with_wire = 0, visible = 0, pixels = 0;
    std::vector<int64_t> bins;
  };
  std::vector<DoseClass> classes_;
};

}  // namespace voxloom::dataset
