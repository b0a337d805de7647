// Compares two volumes, or two sets of weights, for the command tests:
//   voxloom_test_diff geometry A B [tolerance_mm]   same grid
//   voxloom_test_diff voxels A B                    same grid and equal voxels
//   voxloom_test_diff dice A B VALUE MINIMUM        Dice of one label value
//   voxloom_test_diff weights A B LARGEST           safetensors: names, shapes, differences
// Ends with 0 when it holds, else prints what differs and ends with 1.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>

#include "voxloom/core/error.h"
#include "voxloom/io/volume_io.h"
#include "voxloom/weights/safetensors.h"

using namespace voxloom;  // NOLINT(*-using-namespace)

namespace {

int complain(const std::string& text) {
  std::cerr << text << "\n";
  return 1;
}

int compare_weights(const std::string& file_a, const std::string& file_b, double limit) {
  const auto a = weights::read_safetensors(file_a), b = weights::read_safetensors(file_b);
  if (a.tensors.size() != b.tensors.size()) return complain("not the same tensors");
  double largest = 0.0;
  for (const auto& [name, x] : a.tensors.entries()) {
    const auto* y = b.tensors.find(name);
    if (y == nullptr || y->shape != x.shape || y->dtype != x.dtype) {
      return complain("not the same tensor: " + name);
    }
    if (x.dtype != weights::DType::kF32) continue;
    for (size_t at = 0; at < x.bytes.size(); at += sizeof(float)) {
      float u = 0.0F, v = 0.0F;
      std::memcpy(&u, x.bytes.data() + at, sizeof u);
      std::memcpy(&v, y->bytes.data() + at, sizeof v);
      const double difference = std::abs(static_cast<double>(u) - static_cast<double>(v));
      if (!(difference <= limit)) return complain(format("{}: {} and {}", name, u, v));
      largest = std::max(largest, difference);
    }
  }
  std::cout << format("largest difference {:.3g}\n", largest);
  return 0;
}

int compare(int argc, char** argv) {
  if (argc < 4) return complain("usage: voxloom_test_diff geometry|voxels|dice|weights A B ...");
  const std::string mode = argv[1];
  if (mode == "weights")
    return compare_weights(argv[2], argv[3], argc > 4 ? std::atof(argv[4]) : 0);
  const auto a = io::read_volume(argv[2]), b = io::read_volume(argv[3]);
  const double tolerance = mode == "geometry" && argc > 4 ? std::atof(argv[4]) : 1e-3;
  if (!image::same_grid(a.geometry(), b.geometry(), tolerance)) {
    return complain("grids differ: " + image::describe(a.geometry()) + " and " +
                    image::describe(b.geometry()));
  }
  if (mode == "voxels") {
    const auto x = a.converted(image::PixelType::kFloat64);
    const auto y = b.converted(image::PixelType::kFloat64);
    const auto vx = x.as<double>(), vy = y.as<double>();
    for (size_t i = 0; i < vx.size(); ++i) {
      if (vx[i] != vy[i]) return complain(format("voxel {} differs: {} and {}", i, vx[i], vy[i]));
    }
  }
  if (mode == "dice") {
    if (argc < 6) return complain("usage: voxloom_test_diff dice A B VALUE MINIMUM");
    const auto la = image::LabelVolume::from_volume(a), lb = image::LabelVolume::from_volume(b);
    const int value = std::atoi(argv[4]);
    int64_t both = 0, sum = 0;
    for (size_t i = 0; i < la.voxels().size(); ++i) {
      const bool in_a = la.voxels()[i] == value, in_b = lb.voxels()[i] == value;
      both += in_a && in_b;
      sum += static_cast<int64_t>(in_a) + static_cast<int64_t>(in_b);
    }
    const double dice = sum == 0 ? 1.0 : 2.0 * static_cast<double>(both) / static_cast<double>(sum);
    if (dice < std::atof(argv[5])) return complain(format("dice of {}: {}", value, dice));
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return compare(argc, argv);
  } catch (const std::exception& e) {
    return complain(e.what());
  }
}
