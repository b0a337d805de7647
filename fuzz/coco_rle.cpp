// COCO masks from JSON files: compressed run lengths and polygons. Any bytes give a mask or an
// Error; a mask that was read comes back from its own text, and area and box are those of its
// pixels. The first byte chooses (even: text, odd: polygon), the next two are height and width.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "voxloom/core/error.h"
#include "voxloom/image/polygon_mask.h"
#include "voxloom/image/rle.h"

namespace {

using namespace voxloom;

void check(const image::Rle& rle) {
  const auto mask = image::decode_rle(rle);
  const auto ones = std::count(mask.begin(), mask.end(), uint8_t{1});
  if (ones != image::rle_area(rle)) __builtin_trap();
  const auto again = image::encode_rle(mask, rle.width, rle.height);
  const auto box = image::rle_box(rle);
  if (box != image::rle_box(again)) __builtin_trap();
  if (box[2] * box[3] < ones) __builtin_trap();
  const auto text = image::rle_to_string(again);
  if (image::rle_from_string(text, rle.height, rle.width) != again) __builtin_trap();
}

std::vector<image::Point2> vertices(std::string_view bytes) {
  std::vector<image::Point2> polygon;
  float pair[2];
  for (; bytes.size() >= sizeof(pair); bytes.remove_prefix(sizeof(pair))) {
    std::memcpy(pair, bytes.data(), sizeof(pair));
    polygon.push_back({static_cast<double>(pair[0]), static_cast<double>(pair[1])});
  }
  return polygon;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 3) return 0;
  const int64_t height = data[1], width = data[2];
  const std::string_view rest(reinterpret_cast<const char*>(data) + 3, size - 3);
  try {
    check(data[0] % 2 == 0 ? image::rle_from_string(rest, height, width)
                           : image::polygon_rle(vertices(rest), width, height));
  } catch (const Error&) {
  }
  return 0;
}
