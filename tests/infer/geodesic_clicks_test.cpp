#include <algorithm>
#include <cmath>
#include <random>

#include <gtest/gtest.h>

#include "voxloom/image/components.h"
#include "voxloom/infer/click_simulator.h"
#include "voxloom/infer/geodesic.h"
#include "voxloom/infer/geodesic_local.h"

#include "solids.h"

namespace voxloom::infer {
namespace {

using testing_solids::click_at;
using testing_solids::cube_of;
using testing_solids::dice;
using testing_solids::make_solid;
using testing_solids::Solid;
using testing_solids::standard_solids;

std::unique_ptr<SegmentSession> open(const image::Volume& volume) {
  return make_geodesic_segmenter()->open(
      std::shared_ptr<image::VolumeSource>(image::make_source(volume)));
}

std::vector<uint16_t> run(SegmentSession& session, const std::vector<ObjectPrompt>& prompts) {
  session.set_prompts(prompts);
  Progress quiet;
  const auto result = session.run({}, quiet, {});
  return {result.labels.voxels().begin(), result.labels.voxels().end()};
}

std::vector<uint16_t> segment(const image::Volume& volume, const std::vector<PointPrompt>& points) {
  ObjectPrompt prompt;
  prompt.points = points;
  return run(*open(volume), {prompt});
}

/// Dice after each click of a simulated annotator on the middle slice of the click `first`.
std::vector<double> annotate(const Solid& s, const PointPrompt& first, int clicks) {
  const auto& size = s.image.geometry().size;
  const auto pixels = static_cast<size_t>(size[0] * size[1]);
  const auto from = static_cast<size_t>(first.voxel[2]) * pixels;
  const auto session = open(s.image);
  ObjectPrompt prompt;
  prompt.points = {first};
  std::vector<double> dices;
  for (int k = 0; k < clicks; ++k) {
    const auto labels = run(*session, {prompt});
    dices.push_back(dice(labels, s.truth));
    std::vector<uint8_t> seen(pixels);
    for (size_t i = 0; i < pixels; ++i) seen[i] = labels[from + i] != 0;
    const auto next = next_click(
        std::span(s.truth).subspan(from, pixels), seen, size[0], size[1], first.voxel[2]);
    if (!next) break;
    prompt.points.push_back(*next);
  }
  return dices;
}

double distance(const image::Index3& a, const image::Index3& b) {
  return std::hypot(static_cast<double>(a[0] - b[0]),
                    static_cast<double>(a[1] - b[1]),
                    static_cast<double>(a[2] - b[2]));
}

/// The largest distance from `click` at which the labels of a cube of 64 voxels differ.
double reach_of_change(const std::vector<uint16_t>& a,
                       const std::vector<uint16_t>& b,
                       const image::Index3& click) {
  double furthest = -1.0;
  for (int64_t i = 0; i < static_cast<int64_t>(a.size()); ++i) {
    if (a[static_cast<size_t>(i)] == b[static_cast<size_t>(i)]) continue;
    furthest = std::max(furthest, distance({i % 64, i / 64 % 64, i / 4096}, click));
  }
  return furthest;
}

Solid noisy_ball(double noise) {
  return std::move(standard_solids(noise, 64, "sphere").at(0));
}

// The annotator's later clicks lie in slivers at the border: on a border pixel, or just outside.
TEST(GeodesicClicksTest, FurtherClicksNeverMakeANoisyBallWorse) {
  size_t most = 0;
  for (const char* name : {"sphere", "sphere, 3 mm slices"}) {
    for (const double noise : {10.0, 30.0, 50.0, 70.0}) {
      const Solid s = std::move(standard_solids(noise, 64, name).at(0));
      const auto dices = annotate(s, s.prompt.points[0], 10);
      most = std::max(most, dices.size());
      for (size_t k = 1; k < dices.size(); ++k) {
        EXPECT_GE(dices[k], dices[0] - 0.01) << name << ", noise " << noise << ", click " << k + 1;
      }
    }
  }
  EXPECT_EQ(most, 10U) << "an image without errors tests nothing";
}

TEST(GeodesicClicksTest, FurtherClicksNeverMakeAnySolidWorse) {
  for (const auto& s : standard_solids(40)) {
    const auto dices = annotate(s, s.prompt.points[0], 10);
    EXPECT_GE(dices.size(), 3U) << s.name;
    EXPECT_GE(*std::min_element(dices.begin(), dices.end()), dices[0] - 0.005) << s.name;
    if (s.name == "touching spheres") EXPECT_GE(dices.back(), 0.95) << "the other ball is cut off";
  }
}

TEST(GeodesicClicksTest, AClickBesideTheBorderChangesNothingFarFromIt) {
  const auto s = noisy_ball(20);
  const auto first = s.prompt.points[0];
  const auto before = segment(s.image, {first});
  int64_t edge = 32;  // The last voxel of the ball to the right.
  while (before[static_cast<size_t>((32 * 64 + 32) * 64 + edge + 1)] != 0) ++edge;
  for (const auto& [away, positive] :
       {std::pair<int64_t, bool>{1, true}, {2, true}, {0, false}, {-2, false}}) {
    const PointPrompt click{{edge + away, 32, 32}, positive};
    const auto after = segment(s.image, {first, click});
    const auto depth = static_cast<double>(positive ? away : 1 - away);
    const double reach = reach_of_change(before, after, click.voxel);
    EXPECT_GE(reach, 0.0) << away << ": the click itself is obeyed";
    EXPECT_LE(reach, 2.5 * depth + 1e-6) << away;
    EXPECT_EQ(after[static_cast<size_t>((32 * 64 + 32) * 64 + edge + away)], positive ? 1 : 0);
  }
}

TEST(GeodesicClicksTest, AClickThatTheResultAgreesWithChangesNothing) {
  const auto s = noisy_ball(20);
  const auto first = s.prompt.points[0];
  const auto before = segment(s.image, {first});
  EXPECT_EQ(segment(s.image, {first, {{28, 30, 32}, true}, {{5, 5, 32}, false}}), before);
}

TEST(GeodesicClicksTest, TakingACorrectionBackGivesTheFormerResult) {
  const auto s = noisy_ball(30);
  const auto session = open(s.image);
  ObjectPrompt one, two, other;
  one.points = {s.prompt.points[0]};
  two.points = {s.prompt.points[0], {{32, 46, 32}, true}, {{20, 32, 32}, false}};
  other.points = {s.prompt.points[0], {{20, 32, 32}, false}};
  const auto before = run(*session, {one});
  const auto with = run(*session, {two});
  EXPECT_NE(with, before);
  EXPECT_EQ(run(*session, {other}), segment(s.image, other.points));
  EXPECT_EQ(run(*session, {one}), before);
  EXPECT_EQ(run(*session, {two}), with);
}

// Two balls that do not touch: the second click shows a part of its own.
TEST(GeodesicClicksTest, AClickOnAnotherPartGrowsFreely) {
  const auto s = make_solid(
      "two balls",
      cube_of(64),
      [](double x, double y, double z) {
        return std::hypot(x + 15, y, z) < 10 || std::hypot(x - 15, y, z) < 12;
      },
      20,
      5);
  ObjectPrompt prompt;
  prompt.points = {click_at(s.image.geometry(), -15, 0, 0, true),
                   click_at(s.image.geometry(), 18, 2, 0, true)};
  const auto session = open(s.image);
  session->set_prompts({prompt});
  SegmentOptions all;
  all.components = Components::kAll;
  all.extend = true;
  Progress quiet;
  const auto result = session->run(all, quiet, {});
  EXPECT_GE(dice(result.labels.voxels(), s.truth), 0.97);
}

// Nothing has a border here: a click beyond the region adds what lies near, not another 20 mm.
TEST(GeodesicClicksTest, AFurtherClickWithoutBorderAddsWhatIsNear) {
  image::Volume flat(cube_of(64), image::PixelType::kFloat32);
  const PointPrompt first{{32, 32, 32}, true}, click{{58, 32, 32}, true};
  const auto before = segment(flat, {first});
  ASSERT_EQ(before[static_cast<size_t>((32 * 64 + 32) * 64 + 58)], 0);
  const auto after = segment(flat, {first, click});
  EXPECT_EQ(after[static_cast<size_t>((32 * 64 + 32) * 64 + 58)], 1);
  EXPECT_EQ(after[static_cast<size_t>((32 * 64 + 32) * 64 + 55)], 1) << "joined with the region";
  const double reach = reach_of_change(before, after, click.voxel);
  EXPECT_GT(reach, 4.0);
  EXPECT_LE(reach, 2.5 * 7);
}

// A vessel as thin as that has no depth; a click in its middle is not one at a border.
TEST(GeodesicClicksTest, AClickInALeakIntoAThinVesselCutsItOff) {
  const auto s = make_solid(
      "crossing vessels",
      cube_of(64),
      [](double x, double y, double z) {
        return std::hypot(y, z) < 3.2 || std::hypot(x - 4, z - 1) < 3.2;
      },
      5,
      5);
  const auto first = click_at(s.image.geometry(), -14, 0, 0, true);
  const auto far_part = [](const std::vector<uint16_t>& labels) {
    int64_t voxels = 0;
    for (size_t i = 0; i < labels.size(); ++i) {
      const auto y = static_cast<int64_t>(i) / 64 % 64;
      voxels += labels[i] != 0 && y >= 46;
    }
    return voxels;
  };
  ASSERT_GT(far_part(segment(s.image, {first})), 300) << "it leaks";
  const auto cut = segment(s.image, {first, click_at(s.image.geometry(), 4, 14, 1, false)});
  EXPECT_EQ(far_part(cut), 0);
  EXPECT_EQ(cut[static_cast<size_t>((32 * 64 + 32) * 64 + 12)], 1) << "the vessel itself stays";
}

TEST(GeodesicLocalTest, RoleFollowsFromTheDistanceToTheBorder) {
  using Kind = geodesic::ClickRole::Kind;
  geodesic::Patch ball;
  ball.region = {{0, 0, 0}, {40, 40, 40}};
  for (int64_t i = 0; i < ball.region.voxel_count(); ++i) {
    ball.mask.push_back(distance({i % 41, i / 41 % 41, i / 1681}, {20, 20, 20}) <= 12.0);
  }
  const auto role = [&](int64_t x, bool positive) {
    return geodesic::role_of(ball, {x, 20, 20}, positive, {0.5, 0.5, 0.5});
  };
  EXPECT_EQ(role(20, true).kind, Kind::kAgrees);
  EXPECT_EQ(role(36, false).kind, Kind::kAgrees);
  EXPECT_EQ(role(34, true).kind, Kind::kLocal);
  EXPECT_DOUBLE_EQ(role(34, true).reach_mm, 2.5);
  EXPECT_EQ(role(37, true).kind, Kind::kGlobal);
  EXPECT_EQ(role(32, false).kind, Kind::kLocal);
  EXPECT_NEAR(role(32, false).reach_mm, 1.25, 1e-6);
  EXPECT_EQ(role(20, false).kind, Kind::kGlobal);
}

// Blocks of random grey values, with no border that means anything: clicks must still be obeyed.
TEST(GeodesicClicksTest, APositiveClickIsInItsMaskWhateverElseWasClicked) {
  image::Volume volume(image::Geometry{.size = {64, 56, 24}}, image::PixelType::kUint8);
  std::mt19937 random(5);
  std::vector<uint8_t> blocks(8 * 7 * 3);
  for (auto& grey : blocks) grey = static_cast<uint8_t>(random() % 256);
  const auto voxels = volume.as<uint8_t>();
  for (size_t i = 0; i < voxels.size(); ++i) {
    const size_t x = i % 64, y = i / 64 % 56, z = i / (64 * 56);
    voxels[i] = blocks[(z / 8 * 7 + y / 8) * 8 + x / 8];
  }
  const auto session = open(volume);
  int64_t split = 0;
  for (int round = 0; round < 40; ++round) {
    ObjectPrompt prompt;
    const auto anywhere = [&random] {
      return image::Index3{static_cast<int64_t>(random() % 64),
                           static_cast<int64_t>(random() % 56),
                           static_cast<int64_t>(random() % 24)};
    };
    for (int k = 0; k < 4; ++k) prompt.points.push_back({anywhere(), k % 2 == 0});
    const auto labels = run(*session, {prompt});
    for (const auto& point : prompt.points) {
      const auto& v = point.voxel;
      const auto at = static_cast<size_t>((v[2] * 56 + v[1]) * 64 + v[0]);
      EXPECT_EQ(labels[at], point.positive ? 1 : 0)
          << "round " << round << ", " << v[0] << "," << v[1] << "," << v[2];
    }
    split += image::label_components(labels, 1, volume.geometry().size).components.size() > 1;
  }
  EXPECT_GT(split, 0) << "no round needs the rule";
}

}  // namespace
}  // namespace voxloom::infer
