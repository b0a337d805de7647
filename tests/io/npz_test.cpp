#include "voxloom/core/npz.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "voxloom/io/volume_io.h"

#include "io_fixtures.h"

namespace voxloom::io {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using testing::TempFolder;

NamedArray bytes_array(std::string name, std::vector<int64_t> shape, size_t count) {
  return make_array<uint8_t>(std::move(name), std::move(shape), std::vector<uint8_t>(count, 7));
}

NamedArray numbers(std::string name, const std::vector<double>& values) {
  return make_array<double>(std::move(name), {static_cast<int64_t>(values.size())}, values);
}

std::string error_for(const std::vector<NamedArray>& arrays) {
  const TempFolder folder;
  write_npz(folder / "case.npz", arrays, Overwrite::kRefuse);
  return error_of([&] { static_cast<void>(read_volume(folder / "case.npz")); });
}

TEST(NpzTest, AxesAreDepthHeightWidth) {
  const TempFolder folder;
  write_npz(folder / "a.npz",
            std::vector{bytes_array("imgs", {2, 3, 4}, 24), numbers("spacing", {0.5, 0.6, 5})},
            Overwrite::kRefuse);
  const auto source = open_volume(folder / "a.npz");
  EXPECT_THAT(source->geometry().size, ElementsAre(4, 3, 2));
  EXPECT_THAT(source->geometry().spacing_mm, ElementsAre(0.5, 0.6, 5));
}

TEST(NpzTest, EachBadArrayIsNamed) {
  const auto image = bytes_array("imgs", {2, 2, 2}, 8);
  EXPECT_THAT(error_for({bytes_array("other", {1}, 1)}),
              AllOf(HasSubstr("case.npz"),
                    HasSubstr("must hold an array 'imgs', 'gts' or 'segs', got 'other'")));
  EXPECT_THAT(error_for({bytes_array("imgs", {2, 2, 2, 3}, 24)}),
              HasSubstr("array 'imgs': must be [D, H, W] or [H, W]"));
  EXPECT_THAT(error_for({bytes_array("imgs", {2, 0, 2}, 0)}), HasSubstr("must not be empty"));
  EXPECT_THAT(error_for({image, numbers("spacing", {1, 0, 1})}),
              HasSubstr("array 'spacing' must be positive"));
  EXPECT_THAT(error_for({image, numbers("spacing", {1, -1, 1})}),
              HasSubstr("array 'spacing' must be positive"));
  EXPECT_THAT(error_for({image, numbers("spacing", {1, std::nan(""), 1})}),
              HasSubstr("array 'spacing': must hold 3 finite numbers"));
  EXPECT_THAT(error_for({image, numbers("spacing", {1, 1})}),
              HasSubstr("must hold 3 finite numbers, got shape [2]"));
  EXPECT_THAT(error_for({image, numbers("direction", {1, 0, 0, 1, 0, 0, 0, 0, 1})}),
              HasSubstr("case.npz"));
}

TEST(NpzTest, ATruncatedArchiveIsRefused) {
  const TempFolder folder;
  write_npz(folder / "a.npz", std::vector{bytes_array("imgs", {2, 2, 2}, 8)}, Overwrite::kRefuse);
  const std::string whole = testing::read_file(folder / "a.npz");
  for (const size_t keep : {size_t{5}, whole.size() / 2, whole.size() - 1}) {
    testing::write_file(folder / "b.npz", whole.substr(0, keep));
    EXPECT_THAT(error_of([&] { static_cast<void>(read_volume(folder / "b.npz")); }),
                HasSubstr("b.npz"));
  }
}

}  // namespace
}  // namespace voxloom::io
