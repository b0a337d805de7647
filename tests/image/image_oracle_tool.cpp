// Runs one function of the image layer on arrays: image_oracle_tool OPERATION IN.npz OUT.npz.
// image_oracle_test.py compares the results with Pillow, SciPy, scikit-image and numpy.
#include <array>
#include <functional>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "voxloom/core/npz.h"
#include "voxloom/image/components.h"
#include "voxloom/image/distance.h"
#include "voxloom/image/holes.h"
#include "voxloom/image/resize.h"
#include "voxloom/image/skeleton.h"
#include "voxloom/image/window.h"

namespace voxloom {
namespace {

using Arrays = std::vector<NamedArray>;

template <class T>
std::vector<T> copy(const NamedArray& a) {
  const auto v = a.as<T>();
  return {v.begin(), v.end()};
}

image::Index3 size_of(const NamedArray& a) {
  return {a.shape.at(2), a.shape.at(1), a.shape.at(0)};
}

// Masks "in<i>" -> skeletons "lam_lee<i>" and "lee<i>".
Arrays skeletons(const NpzFile& in) {
  Arrays out;
  for (int i = 0; in.contains("in" + std::to_string(i)); ++i) {
    const auto mask = in.read("in" + std::to_string(i));
    for (const auto thinning : {image::Thinning::kLamLee, image::Thinning::kLee}) {
      out.push_back(make_array<uint8_t>(
          std::string(image::thinning_name(thinning)) + std::to_string(i),
          mask.shape,
          image::skeletonize(mask.as<uint8_t>(), mask.shape.at(1), mask.shape.at(0), thinning)));
    }
  }
  return out;
}

// Arrays "in<i>" with "size<i>" (width, height) -> "out<i>".
Arrays resize_all(const NpzFile& in) {
  Arrays out;
  for (int i = 0; in.contains("in" + std::to_string(i)); ++i) {
    const auto image = in.read("in" + std::to_string(i));
    const auto size = copy<int64_t>(in.read("size" + std::to_string(i)));
    const auto result = image::resize_bicubic(
        image.as<uint8_t>(), image.shape.at(1), image.shape.at(0), size.at(0), size.at(1));
    out.push_back(make_array<uint8_t>("out" + std::to_string(i), {size.at(1), size.at(0)}, result));
  }
  return out;
}

Arrays nearest_all(const NpzFile& in) {
  Arrays out;
  for (int i = 0; in.contains("in" + std::to_string(i)); ++i) {
    const auto image = in.read("in" + std::to_string(i));
    const auto size = copy<int64_t>(in.read("size" + std::to_string(i)));
    const auto result = image::resize_nearest(
        image.as<uint8_t>(), image.shape.at(1), image.shape.at(0), size.at(0), size.at(1));
    out.push_back(make_array<uint8_t>("out" + std::to_string(i), {size.at(1), size.at(0)}, result));
  }
  return out;
}

template <class T>
image::Volume volume_of(const NamedArray& a) {
  image::Geometry g;
  g.size = size_of(a);
  image::Volume v(g, image::pixel_type_of<T>());
  const auto values = a.as<T>();
  std::copy(values.begin(), values.end(), v.as<T>().begin());
  return v;
}

// "volume" and "rule" (characters) -> "grey" and "range" (clip from, to, least, greatest).
Arrays window(const NpzFile& in) {
  const auto a = in.read("volume");
  const auto text = copy<uint8_t>(in.read("rule"));
  const image::Volume volume = a.dtype == "<i2"   ? volume_of<int16_t>(a)
                               : a.dtype == "<f4" ? volume_of<float>(a)
                                                  : volume_of<double>(a);
  const auto source = image::make_source(volume);
  const auto map =
      image::resolve_window(*source, image::parse_window(std::string(text.begin(), text.end())));
  const std::array<double, 4> range{map.window.lo, map.window.hi, map.min, map.max};
  return {make_array<uint8_t>("grey", a.shape, image::apply_window(map, volume)),
          make_array<double>("range", {4}, range)};
}

// "mask" [D, H, W] and "spacing" -> labels of all connectivities, distances, filled holes.
Arrays mask_functions(const NpzFile& in) {
  const auto a = in.read("mask");
  const auto s = copy<double>(in.read("spacing"));
  const auto mask = copy<uint8_t>(a);
  const auto size = size_of(a);
  Arrays out;
  for (const auto& [name, connectivity] :
       std::map<std::string, image::Connectivity>{{"labels6", image::Connectivity::kFaces},
                                                  {"labels18", image::Connectivity::kEdges},
                                                  {"labels26", image::Connectivity::kCorners}}) {
    out.push_back(make_array<int32_t>(
        name, a.shape, image::label_components(mask, size, connectivity).to_labels()));
  }
  out.push_back(make_array<float>(
      "distance", a.shape, image::distance_to(mask, size, {s.at(0), s.at(1), s.at(2)})));
  auto filled = mask, cavities = mask;
  image::fill_holes_per_slice(filled, size);
  image::fill_cavities(cavities, size);
  out.push_back(make_array<uint8_t>("filled", a.shape, filled));
  out.push_back(make_array<uint8_t>("cavities", a.shape, cavities));
  return out;
}

int run(const std::string& operation, const std::string& in, const std::string& out) {
  const std::map<std::string, std::function<Arrays(const NpzFile&)>> operations{
      {"resize", resize_all},
      {"nearest", nearest_all},
      {"skeleton", skeletons},
      {"window", window},
      {"mask", mask_functions}};
  write_npz(out,
            operations.at(operation)(NpzFile::open(in)),
            Overwrite::kReplace,
            NpzCompression::kStored);
  return 0;
}

}  // namespace
}  // namespace voxloom

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: image_oracle_tool OPERATION IN.npz OUT.npz\n";
    return 2;
  }
  try {
    return voxloom::run(argv[1], argv[2], argv[3]);
  } catch (const std::exception& e) {
    std::cerr << e.what() << "\n";
    return 1;
  }
}
