#include "voxloom/infer/geodesic.h"

#include <cmath>
#include <limits>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "voxloom/core/error.h"
#include "voxloom/infer/geodesic_field.h"
#include "voxloom/infer/geodesic_growth.h"

#include "solids.h"

namespace voxloom::infer {
namespace {

using testing_solids::dice;
using testing_solids::make_solid;
using testing_solids::Solid;
using testing_solids::standard_solids;

std::unique_ptr<SegmentSession> open(const image::Volume& volume) {
  return make_geodesic_segmenter()->open(
      std::shared_ptr<image::VolumeSource>(image::make_source(volume)));
}

SegmentResult run(SegmentSession& session, const SegmentOptions& options = {}) {
  Progress quiet;
  return session.run(options, quiet, {});
}

std::vector<uint16_t> labels_of(const SegmentResult& result) {
  const auto voxels = result.labels.voxels();
  return {voxels.begin(), voxels.end()};
}

std::vector<uint16_t> segment(const image::Volume& volume,
                              const std::vector<ObjectPrompt>& prompts,
                              const SegmentOptions& options = {}) {
  const auto session = open(volume);
  session->set_prompts(prompts);
  return labels_of(run(*session, options));
}

int64_t count(const std::vector<uint16_t>& labels, uint16_t value = 1) {
  return std::count(labels.begin(), labels.end(), value);
}

Solid solid(const std::string& name, double noise) {
  return std::move(standard_solids(noise, 64, name).at(0));
}

// One click per solid (and a negative one for the touching spheres). The floors lie a little under
// what is reached, see bench/infer: they catch a change of behaviour, not of the last digit.
TEST(GeodesicSolidsTest, OneClickFindsTheSolid) {
  const std::map<std::string, std::array<double, 3>> floors = {
      // noise:           0     10    30 (contrast 100)
      {"sphere", {0.98, 0.98, 0.97}},
      {"small sphere", {0.97, 0.95, 0.92}},
      {"ellipsoid", {0.98, 0.98, 0.97}},
      {"sphere, 3 mm slices", {0.95, 0.94, 0.94}},
      {"torus", {0.98, 0.98, 0.97}},
      {"tube", {0.88, 0.95, 0.92}},
      {"cube", {0.98, 0.98, 0.97}},
      {"touching spheres", {0.95, 0.93, 0.88}},
  };
  const double levels[] = {0, 10, 30};
  for (size_t level = 0; level < 3; ++level) {
    for (const auto& s : standard_solids(levels[level])) {
      const auto labels = segment(s.image, {s.prompt});
      EXPECT_GE(dice(labels, s.truth), floors.at(s.name)[level])
          << s.name << " at noise " << levels[level];
    }
  }
}

TEST(GeodesicTest, SaysWhatItIs) {
  const auto segmenter = make_geodesic_segmenter();
  EXPECT_EQ(segmenter->name(), "geodesic");
  EXPECT_THAT(segmenter->description(), testing::HasSubstr("not a neural network"));
}

TEST(GeodesicTest, SameInputSameOutput) {
  const auto s = solid("torus", 20);
  EXPECT_EQ(segment(s.image, {s.prompt}), segment(s.image, {s.prompt}));
}

TEST(GeodesicTest, TakingAClickBackGivesTheFormerResult) {
  const auto s = solid("touching spheres", 10);
  const auto session = open(s.image);
  auto one = s.prompt;
  one.points.pop_back();
  session->set_prompts({one});
  const auto before = labels_of(run(*session));
  session->set_prompts({s.prompt});
  const auto with = labels_of(run(*session));
  EXPECT_LT(count(with), count(before) * 3 / 4) << "the negative click takes the other ball away";
  session->set_prompts({one});
  EXPECT_EQ(labels_of(run(*session)), before);
}

TEST(GeodesicTest, OrderOfClicksInASessionDoesNotMatter) {
  const auto s = solid("touching spheres", 10);
  const auto session = open(s.image);
  auto one = s.prompt;
  one.points.pop_back();
  session->set_prompts({one});
  (void)run(*session);
  session->set_prompts({s.prompt});
  EXPECT_EQ(labels_of(run(*session)), segment(s.image, {s.prompt}));
}

TEST(GeodesicTest, ClicksAreObeyed) {
  const auto s = solid("cube", 10);
  auto prompt = s.prompt;
  prompt.points.push_back({{32, 32, 40}, false});
  const auto session = open(s.image);
  session->set_prompts({prompt});
  SegmentOptions extend;
  extend.extend = true;
  const auto labels = labels_of(run(*session, extend));
  const auto at = [&](const image::Index3& v) {
    return labels[static_cast<size_t>((v[2] * 64 + v[1]) * 64 + v[0])];
  };
  EXPECT_EQ(at(prompt.points[0].voxel), 1);
  EXPECT_EQ(at({32, 32, 40}), 0);
}

TEST(GeodesicTest, TwoObjectsShareTouchingSpheres) {
  const auto s = solid("touching spheres", 10);
  ObjectPrompt left, right;
  left.points = {s.prompt.points[0]};
  right.value = 2;
  right.points = {s.prompt.points[1]};
  right.points[0].positive = true;
  const auto labels = segment(s.image, {left, right});
  EXPECT_GE(dice(labels, s.truth), 0.93);
  EXPECT_NEAR(static_cast<double>(count(labels, 2)), static_cast<double>(count(labels, 1)), 600.0);
}

TEST(GeodesicTest, FlatBoxFindsTheSphere) {
  auto s = solid("sphere", 20);
  ObjectPrompt prompt;
  prompt.boxes = {{{16, 17, 32}, {47, 46, 32}}};
  EXPECT_GE(dice(segment(s.image, {prompt}), s.truth), 0.96);
}

// Where nothing else bounds it, the object stays within twice the box on the other slices.
TEST(GeodesicTest, FlatBoxBoundsTheOtherSlices) {
  image::Volume flat(testing_solids::cube_of(40), image::PixelType::kFloat32);
  ObjectPrompt prompt;
  prompt.boxes = {{{16, 17, 20}, {23, 24, 20}}};
  const auto labels = segment(flat, {prompt});
  int64_t key = 0;
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] == 0) continue;
    const auto x = static_cast<int64_t>(i % 40), y = static_cast<int64_t>(i / 40 % 40);
    ASSERT_TRUE(x >= 12 && x <= 27 && y >= 13 && y <= 28) << x << " " << y;
    if (i / 1600 != 20) continue;
    ++key;
    ASSERT_TRUE(x >= 16 && x <= 23 && y >= 17 && y <= 24) << x << " " << y;
  }
  EXPECT_GT(key, 0);
}

TEST(GeodesicTest, DeepBoxHasStrictEnds) {
  auto s = solid("tube", 10);
  ObjectPrompt prompt;
  prompt.boxes = {{{10, 20, 20}, {54, 44, 40}}};
  const auto labels = segment(s.image, {prompt});
  int64_t outside = 0, inside = 0, wanted = 0;
  for (size_t i = 0; i < labels.size(); ++i) {
    const auto z = static_cast<int64_t>(i) / 4096;
    (z < 20 || z > 40 ? outside : inside) += labels[i];
    wanted += z >= 20 && z <= 40 && s.truth[i] != 0;
  }
  EXPECT_EQ(outside, 0);
  EXPECT_NEAR(
      static_cast<double>(inside), static_cast<double>(wanted), 0.1 * static_cast<double>(wanted));
}

TEST(GeodesicTest, AMaskIsKeptOnItsSliceAndGrowsToTheOthers) {
  auto s = solid("sphere", 20);
  MaskPrompt mask{32, std::vector<uint8_t>(64 * 64)};
  for (size_t i = 0; i < mask.pixels.size(); ++i) mask.pixels[i] = s.truth[32 * 4096 + i];
  ObjectPrompt prompt;
  prompt.masks = {mask};
  const auto labels = segment(s.image, {prompt});
  for (size_t i = 0; i < mask.pixels.size(); ++i) {
    ASSERT_EQ(labels[32 * 4096 + i], mask.pixels[i]) << "pixel " << i;
  }
  EXPECT_GE(dice(labels, s.truth), 0.96);
}

TEST(GeodesicTest, PointsOnTwoSlicesBoundTheRange) {
  const auto s = solid("tube", 5);
  ObjectPrompt prompt = s.prompt;
  prompt.points = {testing_solids::click_at(s.image.geometry(), 0, 0, 0, true)};
  prompt.points.push_back(prompt.points[0]);
  prompt.points[1].voxel[2] += 4;
  const auto labels = segment(s.image, {prompt});
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] == 0) continue;
    const auto z = static_cast<int64_t>(i) / 4096;
    ASSERT_TRUE(z >= prompt.points[0].voxel[2] && z <= prompt.points[1].voxel[2]) << z;
  }
  EXPECT_GT(count(labels), 100);
}

TEST(GeodesicTest, SliceRangeMayLeaveKeySlicesOut) {
  auto s = solid("sphere", 10);
  ObjectPrompt prompt;
  prompt.boxes = {{{22, 22, 24}, {42, 42, 24}}, {{16, 17, 32}, {47, 46, 32}}};
  SegmentOptions options;
  options.slice_range = {28, 31};
  options.max_slices = 20;
  // The box on slice 32 lies outside the range as does that on 24: nothing to grow from.
  const auto none = segment(s.image, {prompt}, options);
  EXPECT_EQ(count(none), 0);
  options.slice_range = {28, 40};
  const auto labels = segment(s.image, {prompt}, options);
  EXPECT_GT(count(labels), 500);
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] != 0) ASSERT_TRUE(i / 4096 >= 28 && i / 4096 <= 32) << i / 4096;
  }
}

TEST(GeodesicTest, MaxDistanceStopsTheGrowth) {
  const auto s = solid("tube", 5);
  SegmentOptions options;
  options.max_distance_mm = 8;
  const auto labels = segment(s.image, {s.prompt}, options);
  const auto& click = s.prompt.points[0].voxel;
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] == 0) continue;
    const auto at = static_cast<int64_t>(i);
    const double d = std::hypot(static_cast<double>(at % 64 - click[0]),
                                static_cast<double>(at / 64 % 64 - click[1]),
                                static_cast<double>(at / 4096 - click[2]));
    ASSERT_LE(d, 8.01);
  }
  EXPECT_GT(count(labels), 100);
}

// A ball with a long thin arm: leak control decides whether the arm belongs to it.
TEST(GeodesicTest, LeakControlCutsNarrowPassages) {
  const auto s = make_solid(
      "ball and arm",
      testing_solids::cube_of(64),
      [](double x, double y, double z) {
        return (x + 12) * (x + 12) + y * y + z * z < 144 ||
               (y * y + z * z < 5 && x > -12 && x < 28);
      },
      5,
      3);
  ObjectPrompt prompt;
  prompt.points = {testing_solids::click_at(s.image.geometry(), -12, 0, 0, true)};
  SegmentOptions loose, strict;
  loose.leak_control = 0.0;
  strict.leak_control = 1.0;
  const auto arm = [](const std::vector<uint16_t>& labels) {
    int64_t voxels = 0;
    for (size_t i = 0; i < labels.size(); ++i) voxels += labels[i] != 0 && i % 64 >= 44;
    return voxels;
  };
  EXPECT_GT(arm(segment(s.image, {prompt}, loose)), 80);
  EXPECT_EQ(arm(segment(s.image, {prompt}, strict)), 0);
}

TEST(GeodesicTest, SmoothnessMakesTheBorderShorter) {
  const auto s = solid("torus", 50);
  const auto border = [&](double smoothness) {
    SegmentOptions options;
    options.smoothness = smoothness;
    const auto labels = segment(s.image, {s.prompt}, options);
    int64_t faces = 0;
    for (size_t i = 4096; i < labels.size(); ++i) {
      faces += (labels[i] != labels[i - 1]) + (labels[i] != labels[i - 64]) +
               (labels[i] != labels[i - 4096]);
    }
    return faces;
  };
  EXPECT_GT(border(0.0), border(1.0));
  EXPECT_GT(border(1.0), border(8.0));
}

TEST(GeodesicTest, FillsEnclosedHolesOnlyWhenAsked) {
  const auto s = make_solid(
      "shell",
      testing_solids::cube_of(64),
      [](double x, double y, double z) {
        const double r = x * x + y * y + z * z;
        return r < 400 && r > 64;
      },
      5,
      3);
  ObjectPrompt prompt;
  prompt.points = {testing_solids::click_at(s.image.geometry(), 14, 0, 0, true)};
  SegmentOptions keep;
  keep.fill_holes = false;
  const auto centre = static_cast<size_t>((32 * 64 + 32) * 64 + 32);
  EXPECT_EQ(segment(s.image, {prompt})[centre], 1);
  EXPECT_EQ(segment(s.image, {prompt}, keep)[centre], 0);
}

/// Counts how often its voxels are read.
class CountingSource final : public image::VolumeSource {
 public:
  explicit CountingSource(const image::Volume& volume) : source_(image::make_source(volume)) {}
  const image::Geometry& geometry() const override { return source_->geometry(); }
  image::PixelType type() const override { return source_->type(); }
  image::Volume read_slab(int64_t z0, int64_t z1) override {
    ++reads;
    return source_->read_slab(z0, z1);
  }
  int reads = 0;

 private:
  std::unique_ptr<image::VolumeSource> source_;
};

TEST(GeodesicTest, AWarmSessionReadsNothingMoreAndHasTheSameResult) {
  const auto s = solid("sphere", 10);
  const auto source = std::make_shared<CountingSource>(s.image);
  const auto session = make_geodesic_segmenter()->open(source);
  CancelToken stop;
  stop.cancel();
  EXPECT_THROW(session->warm({}, 32, stop), Error);
  session->warm({}, 32, {});
  const int reads = source->reads;
  EXPECT_GT(reads, 0);
  session->set_prompts({s.prompt});
  EXPECT_EQ(labels_of(run(*session)), segment(s.image, {s.prompt}));
  EXPECT_EQ(source->reads, reads);
}

TEST(GeodesicTest, CancelLeavesTheSessionUsable) {
  const auto s = solid("sphere", 10);
  const auto session = open(s.image);
  session->set_prompts({s.prompt});
  CancelToken stop;
  stop.cancel();
  Progress quiet;
  EXPECT_THROW((void)session->run({}, quiet, stop), Error);
  EXPECT_EQ(labels_of(run(*session)), segment(s.image, {s.prompt}));
}

// Stops in the middle of the work, at every stage in turn.
TEST(GeodesicTest, CancelAtAnyStageLeavesTheSessionUsable) {
  struct CancelAfter : Progress {
    CancelToken stop;
    int left = 0;
    void begin(std::string_view, int64_t) override {
      if (left-- == 0) stop.cancel();
    }
  };
  const auto s = solid("sphere", 10);
  const auto session = open(s.image);
  session->set_prompts({s.prompt});
  for (const int stage : {0, 1}) {
    CancelAfter progress;
    progress.left = stage;
    EXPECT_THROW((void)session->run({}, progress, progress.stop), Error) << stage;
  }
  EXPECT_EQ(labels_of(run(*session)), segment(s.image, {s.prompt}));
}

TEST(GeodesicTest, PreviewIsTheSliceOfTheResult) {
  const auto s = solid("sphere", 10);
  const auto session = open(s.image);
  session->set_prompts({s.prompt});
  const auto preview = session->preview_slice(0, 30, {});
  const auto labels = labels_of(run(*session));
  for (size_t i = 0; i < preview.size(); ++i) ASSERT_EQ(preview[i], labels[30 * 4096 + i]);
  EXPECT_THROW((void)session->preview_slice(1, 30, {}), Error);
  EXPECT_THROW((void)session->preview_slice(0, 64, {}), Error);
}

TEST(GeodesicTest, OddVolumesAreNoTrouble) {
  // One slice, one column, constant, NaN: a click gets a label and no crash.
  const std::array<image::Index3, 4> sizes{{{40, 30, 1}, {1, 40, 5}, {1, 1, 1}, {9, 8, 7}}};
  for (const auto& size : sizes) {
    image::Geometry g;
    g.size = size;
    image::Volume flat(g, image::PixelType::kFloat32);
    ObjectPrompt prompt;
    prompt.points = {{{size[0] / 2, size[1] / 2, size[2] / 2}, true}};
    const auto labels = segment(flat, {prompt});
    EXPECT_GE(count(labels), 1) << image::describe(g);
    flat.as<float>()[0] = std::numeric_limits<float>::quiet_NaN();
    const auto session = open(flat);
    session->set_prompts({prompt});
    const auto result = run(*session);
    EXPECT_THAT(result.report.notes, testing::Contains(testing::HasSubstr("not finite")));
  }
}

TEST(GeodesicTest, RefusesPromptsOutsideTheVolume) {
  const auto session = open(solid("sphere", 0).image);
  ObjectPrompt prompt;
  prompt.points = {{{64, 0, 0}, true}};
  EXPECT_THROW(session->set_prompts({prompt}), Error);
  EXPECT_THROW((void)run(*session), Error) << "no prompts yet";
}

TEST(GeodesicTest, WindowClipsIntensities) {
  // Inside the window 150 ... 160 solid and ground are flat: their edge is as sharp as before.
  const auto s = solid("sphere", 5);
  SegmentOptions options;
  options.window = "120,180";
  EXPECT_GE(dice(segment(s.image, {s.prompt}, options), s.truth), 0.95);
}

// A column that opens into a wide space of the same intensity, as the brain stem does: nothing but
// the reach of the box would end the object there.
TEST(GeodesicTest, FlatBoxDoesNotFollowTheObjectIntoASpaceWithoutBorder) {
  auto s = make_solid(
      "column and hall",
      testing_solids::cube_of(64),
      [](double x, double y, double z) { return x * x + y * y < 100 ? z > -28 : z > 6; },
      5,
      3);
  ObjectPrompt prompt;
  prompt.boxes = {{{21, 21, 20}, {42, 42, 20}}};
  const auto session = open(s.image);
  session->set_prompts({prompt});
  const auto result = run(*session);
  EXPECT_THAT(result.report.notes,
              testing::Contains(testing::HasSubstr("slices away from the box; it ends before")));
  const auto labels = labels_of(result);
  int64_t column = 0, hall = 0;
  for (size_t i = 0; i < labels.size(); ++i) (i / 4096 <= 38 ? column : hall) += labels[i];
  EXPECT_NEAR(static_cast<double>(column), 314.0 * 34, 0.1 * 314 * 34);
  EXPECT_LT(hall, 1500);
}

TEST(GeodesicTest, AClickWithoutBorderKeepsWhatIsNearAndSaysSo) {
  image::Volume flat(testing_solids::cube_of(64), image::PixelType::kFloat32);
  ObjectPrompt prompt;
  prompt.points = {{{32, 32, 32}, true}};
  const auto session = open(flat);
  session->set_prompts({prompt});
  const auto result = run(*session);
  EXPECT_THAT(result.report.notes,
              testing::Contains(testing::HasSubstr("32,32,32: no clear border was found")));
  const auto labels = labels_of(result);
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] == 0) continue;
    const auto at = static_cast<int64_t>(i);
    ASSERT_LE(std::hypot(static_cast<double>(at % 64 - 32),
                         static_cast<double>(at / 64 % 64 - 32),
                         static_cast<double>(at / 4096 - 32)),
              21.0);
  }
  EXPECT_GT(count(labels), 10000);
}

TEST(GeodesicTest, ALargePartOfTheVolumeGetsANote) {
  const auto s = make_solid(
      "half", testing_solids::cube_of(40), [](double x, double, double) { return x < 0; }, 5, 3);
  ObjectPrompt prompt;
  prompt.points = {{{8, 20, 20}, true}};
  const auto session = open(s.image);
  session->set_prompts({prompt});
  const auto result = run(*session);
  EXPECT_THAT(result.report.notes, testing::Contains(testing::HasSubstr("50 % of the volume")));
  EXPECT_GE(dice(result.labels.voxels(), s.truth), 0.98);
}

// Else the front would go on to the border of the head, which is larger and would win over a
// vessel.
TEST(GeodesicFieldTest, AFrontStopsSoonAfterASureBorder) {
  const auto s = solid("small sphere", 5);
  const auto field = geodesic::make_field(
      *image::make_source(s.image), {{0, 0, 0}, {63, 63, 63}}, geodesic::Clip{}, CancelToken{});
  const std::vector<int64_t> seeds{field.index(s.prompt.points[0].voxel)};
  geodesic::Appearance bright;
  bright.mean = 200.0;
  bright.spread = 10.0;
  geodesic::FrontScratch scratch;
  const auto growth = geodesic::grow(field,
                                     field.size,
                                     seeds,
                                     geodesic::LocalCost(field, bright, {}),
                                     {0, 63},
                                     {},
                                     scratch,
                                     CancelToken{});
  const size_t prefix = geodesic::best_prefix(growth, 1, growth.order.size());
  EXPECT_GT(geodesic::edge_along_border(growth, prefix), 0.8);
  EXPECT_LT(growth.order.size(), 5 * prefix);
}

// An angiogram without tissue: the bright voxels all lie on slopes, which are no noise.
TEST(GeodesicFieldTest, SlopesAreNoNoise) {
  image::Volume vessels(testing_solids::cube_of(48), image::PixelType::kFloat32);
  const auto voxels = vessels.as<float>();
  for (size_t i = 0; i < voxels.size(); ++i) {
    const double x = static_cast<double>(i % 48) - 24.3,
                 y = static_cast<double>(i / 48 % 48) - 23.6;
    const double v = 400.0 * std::exp(-(x * x + y * y) / 40.0);
    voxels[i] = v < 80.0 ? 0.0F : static_cast<float>(v);
  }
  const auto field = geodesic::make_field(
      *image::make_source(vessels), {{0, 0, 0}, {47, 47, 47}}, geodesic::Clip{}, CancelToken{});
  EXPECT_LT(field.noise, 8.0);
}

// The denoised field keeps an edge and loses most of the noise.
TEST(GeodesicFieldTest, RemovesNoiseAndKeepsEdges) {
  const auto s = solid("cube", 20);
  const auto source = image::make_source(s.image);
  const auto field =
      geodesic::make_field(*source, {{0, 0, 0}, {63, 63, 63}}, geodesic::Clip{}, CancelToken{});
  EXPECT_LT(field.noise, 10.0);
  const auto at = [&](int64_t x) {
    return field.smooth[static_cast<size_t>(field.index({x, 32, 32}))];
  };
  EXPECT_NEAR(at(32), 200.0, 20.0);
  EXPECT_NEAR(at(5), 100.0, 20.0);
  EXPECT_GT(at(22), 165.0F) << "two voxels inside the border";
  EXPECT_LT(at(17), 135.0F) << "two voxels outside";
}

}  // namespace
}  // namespace voxloom::infer
