// metrics_oracle_tool IN.npz OUT.npz: surface distances of "truth" and "predicted" [D, H, W] with
// "spacing" (x, y, z), read at "tolerance" mm. With masks [H, W] instead, and lines "truth_line"
// and "predicted_line": pixel metrics of both. metrics_oracle_test.py compares the numbers.
#include <array>
#include <iostream>
#include <vector>

#include "voxloom/core/npz.h"
#include "voxloom/metrics/overlap.h"
#include "voxloom/metrics/pixel_distances.h"
#include "voxloom/metrics/surface.h"
#include "voxloom/metrics/topology.h"

namespace voxloom {
namespace {

std::vector<double> pixel_values(const NpzFile& in) {
  const auto truth = in.read("truth"), predicted = in.read("predicted");
  const auto truth_line = in.read("truth_line"), predicted_line = in.read("predicted_line");
  const int64_t h = truth.shape[0], w = truth.shape[1];
  using Set = metrics::PixelSetDistances;
  const auto surface =
      metrics::surface_pixel_distances(truth.as<uint8_t>(), predicted.as<uint8_t>(), w, h);
  const auto line =
      metrics::compare_pixel_sets(truth_line.as<uint8_t>(), predicted_line.as<uint8_t>(), w, h);
  const auto betti = metrics::betti_numbers(predicted.as<uint8_t>(), w, h);
  return {surface.hausdorff(),
          surface.hausdorff95(),
          surface.hausdorff95(Set::Percentile::kPooled),
          surface.average(),
          surface.average(Set::Average::kMeanOfDirected),
          line.mean_from_predicted(),
          line.mean_from_truth(),
          line.average(Set::Average::kMeanOfDirected),
          line.hausdorff(),
          static_cast<double>(betti.components),
          static_cast<double>(betti.components - betti.holes)};
}

void run(const char* in_path, const char* out_path) {
  const auto in = NpzFile::open(in_path);
  if (in.contains("truth_line")) {
    const auto values = pixel_values(in);
    const std::array<NamedArray, 1> out{
        make_array<double>("values", {static_cast<int64_t>(values.size())}, values)};
    write_npz(out_path, out, Overwrite::kReplace);
    return;
  }
  const auto truth = in.read("truth"), predicted = in.read("predicted");
  const auto spacing = in.read("spacing"), tolerance = in.read("tolerance");
  const auto s = spacing.as<double>();
  const auto d = metrics::surface_distances(truth.as<uint8_t>(),
                                            predicted.as<uint8_t>(),
                                            {truth.shape[2], truth.shape[1], truth.shape[0]},
                                            {s[0], s[1], s[2]});
  const std::array<double, 6> values{
      d.surface_dice(tolerance.as<double>()[0]),
      d.hausdorff_mm(95),
      d.hausdorff_mm(100),
      d.average_mm(),
      metrics::count_overlap(truth.as<uint8_t>(), predicted.as<uint8_t>()).dice(),
      d.truth.total_area_mm2()};
  const std::array<NamedArray, 1> out{make_array<double>("values", {6}, values)};
  write_npz(out_path, out, Overwrite::kReplace);
}

}  // namespace
}  // namespace voxloom

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: metrics_oracle_tool IN.npz OUT.npz\n";
    return 2;
  }
  try {
    voxloom::run(argv[1], argv[2]);
    return 0;
  } catch (const std::exception& e) {
    std::cerr << e.what() << "\n";
    return 1;
  }
}
