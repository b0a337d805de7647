#include "voxloom/image/window.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "voxloom/core/error.h"
#include "voxloom/core/random.h"
#include "voxloom/image/intensity.h"

namespace voxloom::image {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

template <class T>
Volume make_volume(const std::vector<T>& values, int64_t depth = 1) {
  Geometry g;
  g.size = {static_cast<int64_t>(values.size()) / depth, 1, depth};
  Volume v(g, pixel_type_of<T>());
  std::copy(values.begin(), values.end(), v.as<T>().begin());
  return v;
}

GreyMap resolve(const Volume& v, const char* rule) {
  const auto source = make_source(v);
  return resolve_window(*source, parse_window(rule));
}

template <class T>
std::vector<T> random_values(size_t n, uint64_t seed, const std::function<double(Rng&)>& draw) {
  Rng rng(seed);
  std::vector<T> values(n);
  for (auto& v : values) v = static_cast<T>(draw(rng));
  return values;
}

TEST(ParseWindowTest, ReadsNumbersPresetsAndRules) {
  EXPECT_EQ(parse_window("-160,240").range, (Window{-160, 240}));
  EXPECT_EQ(parse_window(" -1.5e2 , +3 ").range, (Window{-150, 3}));
  EXPECT_EQ(parse_window("abdomen").range, (Window{-160, 240}));
  EXPECT_EQ(parse_window("lung").range, (Window{-1350, 150}));
  EXPECT_EQ(parse_window("brain").range, (Window{0, 80}));
  EXPECT_EQ(parse_window("mediastinum").range, (Window{-125, 225}));
  EXPECT_EQ(parse_window("auto").kind, WindowRule::Kind::kAuto);
  EXPECT_EQ(parse_window("percentile").kind, WindowRule::Kind::kPercentile);
}

TEST(ParseWindowTest, AnythingElseIsAnErrorThatListsThePresets) {
  for (const char* text :
       {"", "lungs", "5,5", "7,3", "1,2,3", "1;2", "nan,4", "0,inf", "4,", ",4"}) {
    EXPECT_THAT([&] { static_cast<void>(parse_window(text)); },
                ThrowsMessage<Error>(HasSubstr("abdomen, lung, brain")))
        << text;
  }
}

TEST(ResolveWindowTest, StretchesTheExtremesThatAreLeftAfterClipping) {
  // The volume's maximum (100) lies inside the window, so it becomes white.
  const auto v = make_volume<int16_t>({-1000, -160, 0, 50, 100});
  const auto map = resolve(v, "-160,240");
  EXPECT_EQ(map.min, -160);
  EXPECT_EQ(map.max, 100);
  // (0 + 160) / 260 * 255 = 156.9; (50 + 160) / 260 * 255 = 205.96: truncated.
  EXPECT_THAT(apply_window(map, v), ElementsAre(0, 0, 156, 205, 255));
}

TEST(ResolveWindowTest, AutoShows8BitDataAsStored) {
  const auto v = make_volume<uint8_t>({3, 100, 200});
  EXPECT_THAT(apply_window(resolve(v, "auto"), v), ElementsAre(3, 100, 200));
}

TEST(ResolveWindowTest, AutoTakesAirForCt) {
  EXPECT_EQ(resolve(make_volume<int16_t>({-1024, -1000, 0, 50, 400}), "auto").name, "abdomen");
  EXPECT_EQ(resolve(make_volume<float>({-1024, -1000, 0, 50, 400}), "auto").name, "abdomen");
  EXPECT_EQ(resolve(make_volume<int16_t>({-500, 0, 50, 400}), "auto").name, "percentile");
  EXPECT_EQ(resolve(make_volume<int16_t>({-400, -20, 0}), "auto").name, "minmax");
  // A few outliers do not make it CT.
  std::vector<int16_t> mr(5000, 100);
  mr[17] = -900;
  EXPECT_EQ(resolve(make_volume(mr), "auto").name, "percentile");
}

TEST(ResolveWindowTest, PercentileKeepsBackgroundBlack) {
  std::vector<int16_t> values(1001, 0);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<int16_t>(i < 500 ? 0 : i);
  const auto v = make_volume(values);
  const auto map = resolve(v, "percentile");
  // 501 voxels 500 ... 1000: positions 2.5 and 497.5.
  EXPECT_DOUBLE_EQ(map.window.lo, 502.5);
  EXPECT_DOUBLE_EQ(map.window.hi, 997.5);
  const auto grey = apply_window(map, v);
  EXPECT_EQ(grey[0], 0);
  EXPECT_EQ(grey[1000], 255);
  EXPECT_THROW(static_cast<void>(resolve(make_volume<int16_t>({0, -3}), "percentile")), Error);
}

TEST(ResolveWindowTest, NanVoxelsAreCountedInTheError) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const char* rule : {"auto", "percentile", "-160,240", "minmax"}) {
    EXPECT_THAT(
        [&] {
          static_cast<void>(resolve(make_volume<float>({nan, 1, 2, nan}), rule));
        },
        ThrowsMessage<Error>(HasSubstr("2 NaN voxels of 4")))
        << rule;
  }
}

TEST(ResolveWindowTest, InfiniteRangeIsAnErrorButAFiniteWindowClipsInfinity) {
  const float inf = std::numeric_limits<float>::infinity();
  const auto v = make_volume<float>({-inf, 0, 10, inf});
  EXPECT_THROW(static_cast<void>(resolve(v, "minmax")), Error);
  EXPECT_THAT(apply_window(resolve(v, "0,10"), v), ElementsAre(0, 0, 255, 255));
}

TEST(ResolveWindowTest, NoContrastBecomesBlack) {
  const auto v = make_volume<int16_t>({7, 7, 7});
  EXPECT_TRUE(resolve(v, "minmax").flat());
  EXPECT_THAT(apply_window(resolve(v, "minmax"), v), ElementsAre(0, 0, 0));
  EXPECT_THAT(apply_window(resolve(v, "100,200"), v), ElementsAre(0, 0, 0));
}

TEST(ApplyWindowTest, VoxelsThatTheMapHasNotSeenStayWithinGreyValues) {
  const GreyMap map{{0, 1000}, 10, 20, false, "minmax"};
  const auto v = make_volume<float>({std::numeric_limits<float>::quiet_NaN(), -5, 15, 900});
  EXPECT_THAT(apply_window(map, v), ElementsAre(0, 0, 127, 255));
  std::vector<uint8_t> wrong(3);
  EXPECT_THROW(apply_window(map, v, wrong), Error);
}

// Sorts everything: what the streaming passes must find without doing so.
template <class T>
void expect_exact_percentiles(const std::vector<T>& values, int64_t depth) {
  const auto source = make_source(make_volume(values, depth));
  IntensityScan scan(*source);
  std::vector<double> positive;
  for (const T v : values) {
    if (v > T{0}) positive.push_back(static_cast<double>(v));
  }
  std::sort(positive.begin(), positive.end());
  ASSERT_EQ(scan.summary().above_zero, static_cast<int64_t>(positive.size()));
  EXPECT_EQ(scan.summary().min,
            static_cast<double>(*std::min_element(values.begin(), values.end())));
  EXPECT_EQ(scan.summary().max,
            static_cast<double>(*std::max_element(values.begin(), values.end())));
  const std::vector<double> percents{0, 0.5, 37.3, 50, 99.5, 100};
  const auto got = scan.percentiles_above_zero(percents);
  for (size_t i = 0; i < percents.size(); ++i) {
    const double at = percents[i] / 100 * static_cast<double>(positive.size() - 1);
    const auto below = static_cast<size_t>(at);
    const double a = positive[below], b = positive[std::min(below + 1, positive.size() - 1)];
    const double expected = a + (at - std::floor(at)) * (b - a);
    EXPECT_NEAR(got[i], expected, 1e-12 * std::abs(expected)) << percents[i];
  }
}

TEST(IntensityScanTest, PercentilesAreExactForEveryType) {
  const auto wide = [](Rng& r) { return r.uniform(-3e4, 3e4); };
  const auto normal = [](Rng& r) { return r.normal(100, 300); };
  const auto byte = [](Rng& r) { return r.uniform(0, 120); };
  expect_exact_percentiles(random_values<uint8_t>(6000, 1, byte), 6);
  expect_exact_percentiles(random_values<int8_t>(6000, 2, byte), 5);
  expect_exact_percentiles(random_values<int16_t>(6000, 3, wide), 4);
  expect_exact_percentiles(
      random_values<int32_t>(6000, 4, [](Rng& r) { return r.uniform(-2e9, 2e9); }), 3);
  expect_exact_percentiles(
      random_values<int64_t>(6000, 5, [](Rng& r) { return r.uniform(-9e18, 9e18); }), 2);
  expect_exact_percentiles(random_values<float>(6000, 6, normal), 6);
  expect_exact_percentiles(random_values<double>(6000, 7, normal), 6);
  expect_exact_percentiles(
      random_values<double>(6000,
                            8,
                            [](Rng& r) {
                              return 1.0 + 1e-13 * r.uniform();  // Equal in the first 48 bits.
                            }),
      6);
  expect_exact_percentiles(std::vector<float>(100, 2.5F), 10);
  expect_exact_percentiles(std::vector<uint16_t>{0, 0, 9}, 1);
}

// Gives the slabs of a volume and says how much was asked for at once.
class CountingSource final : public VolumeSource {
 public:
  explicit CountingSource(Volume v) : volume_(std::move(v)) {}
  const Geometry& geometry() const override { return volume_.geometry(); }
  PixelType type() const override { return volume_.type(); }
  Volume read_slab(int64_t z0, int64_t z1) override {
    slices += z1 - z0;
    largest_bytes = std::max(largest_bytes, (z1 - z0) * slice_bytes());
    return volume_.slab(z0, z1);
  }
  int64_t slices = 0, largest_bytes = 0;

 private:
  int64_t slice_bytes() const {
    return volume_.geometry().size[0] * volume_.geometry().size[1] *
           static_cast<int64_t>(bytes_per_voxel(volume_.type()));
  }
  Volume volume_;
};

TEST(IntensityScanTest, ReadsInBoundedSlabsAndOnceFor16Bits) {
  Geometry g;
  g.size = {1024, 1024, 48};  // 96 MB.
  CountingSource source(Volume(g, PixelType::kInt16));
  const auto map = resolve_window(source, parse_window("auto"));
  EXPECT_EQ(map.name, "minmax");
  EXPECT_EQ(source.slices, 48);
  EXPECT_LE(source.largest_bytes, int64_t{64} << 20);
}

}  // namespace
}  // namespace voxloom::image
