#include "voxloom/filters/clahe.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "voxloom/core/error.h"
#include "voxloom/core/npz.h"

namespace voxloom::filters {
namespace {

/// OpenCV 4's output for sides that divide, that do not, without a limit and with one tile
/// (tests/filters/make_clahe.py).
TEST(ClaheTest, SameBitsAsOpenCv) {
  const auto file = NpzFile::open(std::string(VOXLOOM_DEFAULT_GOLDEN_DIR) + "/clahe.npz");
  for (int i = 0; i < 5; ++i) {
    const auto n = std::to_string(i);
    const auto in = file.read("in" + n), want = file.read("out" + n), o = file.read("options" + n);
    const auto options = o.as<double>();
    const auto pixels = in.as<uint8_t>();
    std::vector<uint8_t> image(pixels.begin(), pixels.end());
    clahe(image,
          in.shape[1],
          in.shape[0],
          {options[0], static_cast<int64_t>(options[1]), static_cast<int64_t>(options[2])});
    int64_t different = 0;
    for (size_t p = 0; p < image.size(); ++p)
      different += image[p] != want.as<uint8_t>()[p] ? 1 : 0;
    EXPECT_EQ(different, 0) << i;
  }
}

TEST(ClaheTest, AConstantImageStaysConstant) {
  std::vector<uint8_t> image(40 * 40, 77);
  clahe(image, 40, 40, {});
  EXPECT_EQ(std::ranges::count(image, image[0]), 1600);
}

TEST(ClaheTest, BadSizesAreRefused) {
  std::vector<uint8_t> image(12);
  EXPECT_THROW(clahe(image, 4, 4, {}), Error);
  EXPECT_THROW(clahe(image, 4, 3, {.clip_limit = 2.0, .tiles_x = 8, .tiles_y = 1}), Error);
}

}  // namespace
}  // namespace voxloom::filters
