#include "voxloom/infer/merge.h"

#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "voxloom/core/error.h"

namespace voxloom::infer {
namespace {

using testing::ElementsAre;

// A row of 12 voxels on each of 3 slices is enough to see every rule.
constexpr image::Index3 kSize{12, 1, 3};

RunMask rows(std::array<const char*, 3> text) {
  RunMask mask(kSize);
  for (int64_t z = 0; z < 3; ++z) {
    std::vector<uint8_t> pixels;
    for (const char* c = text[static_cast<size_t>(z)]; *c != 0; ++c) pixels.push_back(*c == '#');
    pixels.resize(12, 0);
    mask.set_slice(z, pixels);
  }
  return mask;
}

ObjectPlan plan(bool two_ended) {
  ObjectPlan p;
  p.z_hi = 2;
  p.two_ended = two_ended;
  p.passes = {{true, 0, 2}, {false, 2, 0}};
  return p;
}

image::Geometry geometry() {
  image::Geometry g;
  g.size = kSize;
  return g;
}

std::string shown(const image::LabelVolume& labels, int64_t z) {
  std::string text;
  for (int64_t x = 0; x < 12; ++x) {
    const auto v = labels.voxels()[static_cast<size_t>(z * 12 + x)];
    text += v == 0 ? '.' : static_cast<char>('0' + v);
  }
  return text;
}

TEST(MergeTest, IntersectionKeepsBothAndMarksTheRestUncertain) {
  const auto forward = rows({"####", "####", ""}), backward = rows({"..####", "####", "##"});
  const auto merged = merge_passes({&forward, &backward}, plan(true), Merge::kIntersection);
  const auto labels = compose_labels(geometry(), {{"tumour", 3, merged}}, {});
  EXPECT_EQ(shown(labels, 0), "443344......");
  EXPECT_EQ(shown(labels, 1), "3333........");
  EXPECT_EQ(shown(labels, 2), "44..........");
  EXPECT_THAT(labels.labels, ElementsAre(image::Label{3, "tumour"}, image::Label{4, "uncertain"}));
}

TEST(MergeTest, UnionKeepsEither) {
  const auto forward = rows({"####", "", ""}), backward = rows({"..####", "", "##"});
  const auto merged = merge_passes({&forward, &backward}, plan(true), Merge::kUnion);
  const auto labels = compose_labels(geometry(), {{"tumour", 1, merged}}, {});
  EXPECT_EQ(shown(labels, 0), "111111......");
  EXPECT_EQ(shown(labels, 2), "11..........");
  EXPECT_THAT(labels.labels, ElementsAre(image::Label{1, "tumour"}));
}

TEST(MergeTest, HalvesAroundAKeySliceAreBothTogether) {
  const auto forward = rows({"", "####", "###"}), backward = rows({"##", "####", ""});
  const auto merged = merge_passes({&forward, &backward}, plan(false), Merge::kIntersection);
  EXPECT_TRUE(merged.uncertain.empty());
  EXPECT_EQ(merged.certain.count(), 9);
}

TEST(MergeTest, OnePassAloneIsCertain) {
  auto p = plan(true);
  p.passes.pop_back();
  const auto forward = rows({"##", "##", ""});
  const auto merged = merge_passes({&forward}, p, Merge::kIntersection);
  EXPECT_EQ(merged.certain.count(), 4);
  EXPECT_TRUE(merged.uncertain.empty());
}

TEST(MergeTest, NothingOutsideRangeAndClipBox) {
  auto p = plan(false);
  p.z_lo = 1;
  p.clips = {{1, 1, {2, 0, 3, 0}}};
  const auto all = rows({"############", "############", "############"});
  const auto merged = merge_passes({&all, &all}, p, Merge::kIntersection);
  const auto labels = compose_labels(geometry(), {{"a", 1, merged}}, {});
  EXPECT_EQ(shown(labels, 0), "............");
  EXPECT_EQ(shown(labels, 1), "..11........");
  EXPECT_EQ(shown(labels, 2), "111111111111");
}

TEST(MergeTest, LargestPartOfCertainVoxelsDecides) {
  MergedMask mask{rows({"##...####...", "", ""}), rows({"..#......#.#", "", ""})};
  keep_largest(mask, {});
  const auto labels = compose_labels(geometry(), {{"a", 1, mask}}, {});
  // The uncertain voxel beside the kept part stays; those of other parts go.
  EXPECT_EQ(shown(labels, 0), ".....11112..");
}

TEST(MergeTest, PartsTouchAcrossCorners) {
  // 26-connected: x 3 on slice 0 touches x 4 on slice 1, x 6 does not touch x 4.
  MergedMask mask{rows({"..##........", "....#.......", "......###..."}), RunMask(kSize)};
  keep_largest(mask, {});
  EXPECT_EQ(mask.certain.count(), 3);
  EXPECT_EQ(mask.certain.runs(2).size(), 0u) << "ties go to the part met first";
}

TEST(MergeTest, UncertainOnlyKeepsItsLargestPart) {
  MergedMask mask{RunMask(kSize), rows({"#..###", "", ""})};
  keep_largest(mask, {});
  EXPECT_EQ(mask.uncertain.count(), 3);
  mask.uncertain = rows({"#..###", "", ""});
  keep_largest(mask, {{{0, 0, 0}, true}});
  EXPECT_EQ(mask.uncertain.count(), 4);
}

TEST(MergeTest, PartsWithAPositivePointStayBesideTheLargest) {
  const auto kept = [](const std::vector<PointPrompt>& points) {
    MergedMask mask{rows({"##.####.#..#", "", ""}), RunMask(kSize)};
    keep_largest(mask, points);
    return shown(compose_labels(geometry(), {{"a", 1, mask}}, {}), 0);
  };
  EXPECT_EQ(kept({}), "...1111.....");
  EXPECT_EQ(kept({{{4, 0, 0}, true}}), "...1111.....");
  EXPECT_EQ(kept({{{8, 0, 0}, true}}), "...1111.1...");
  EXPECT_EQ(kept({{{0, 0, 0}, true}, {{11, 0, 0}, true}}), "11.1111....1");
  EXPECT_EQ(kept({{{8, 0, 0}, false}}), "...1111.....") << "a negative point keeps nothing";
  EXPECT_EQ(kept({{{9, 0, 0}, true}, {{8, 0, 1}, true}}), "...1111.....") << "none on a part";
}

TEST(MergeTest, AKeptPartKeepsItsUncertainVoxels) {
  const auto kept = [](const std::vector<PointPrompt>& points) {
    MergedMask mask{rows({"##...####...", "", ""}), rows({"..#......#.#", "", ""})};
    keep_largest(mask, points);
    return shown(compose_labels(geometry(), {{"a", 1, mask}}, {}), 0);
  };
  EXPECT_EQ(kept({{{0, 0, 0}, true}}), "112..11112..");
  EXPECT_EQ(kept({{{2, 0, 0}, true}}), "112..11112..") << "a point on an uncertain voxel";
  EXPECT_EQ(kept({{{11, 0, 0}, true}}), ".....11112.2") << "a part without certain voxels";
}

TEST(MergeTest, LaterObjectsAndCertainVoxelsWin) {
  const MergedMask first{rows({"####", "", ""}), rows({"....##", "", ""})};
  const MergedMask second{rows({"..###", "", ""}), rows({"#....", "", ""})};
  const auto labels = compose_labels(geometry(), {{"a", 5, first}, {"b", 2, second}}, {});
  EXPECT_EQ(shown(labels, 0), "552226......") << "uncertain is the highest value + 1";
}

TEST(MergeTest, NeedsAValueForUncertainVoxels) {
  const MergedMask mask{RunMask(kSize), rows({"#", "", ""})};
  EXPECT_THROW((void)compose_labels(geometry(), {{"a", 65535, mask}}, {}), Error);
}

TEST(MergeTest, RunsRoundTrip) {
  RunMask mask({5, 4, 1});
  const std::vector<uint8_t> pixels{1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 1, 0, 1};
  mask.set_slice(0, pixels);
  EXPECT_EQ(mask.slice(0), pixels);
  EXPECT_EQ(mask.count(), 10);
  EXPECT_EQ(mask.runs(0).size(), 5u);
}

// Property: parts found on runs equal a flood fill over voxels.
TEST(MergeTest, LargestPartEqualsAFloodFill) {
  const image::Index3 size{13, 9, 6};
  uint32_t state = 7;
  for (int round = 0; round < 30; ++round) {
    std::vector<uint8_t> voxels(13 * 9 * 6);
    for (auto& v : voxels) {
      state = state * 1664525U + 1013904223U;
      v = (state >> 16) % 100 < 12;
    }
    MergedMask mask{RunMask(size), RunMask(size)};
    for (int64_t z = 0; z < 6; ++z) {
      mask.certain.set_slice(z, std::span(voxels).subspan(static_cast<size_t>(z * 117), 117));
    }
    keep_largest(mask, {});
    int64_t best = 0;
    std::vector<uint8_t> seen = voxels;
    for (int64_t start = 0; start < 13 * 9 * 6; ++start) {
      if (seen[static_cast<size_t>(start)] == 0) continue;
      std::vector<int64_t> todo{start};
      seen[static_cast<size_t>(start)] = 0;
      int64_t count = 0;
      while (!todo.empty()) {
        const int64_t i = todo.back();
        todo.pop_back();
        ++count;
        const int64_t x = i % 13, y = i / 13 % 9, z = i / 117;
        for (int64_t k = 0; k < 27; ++k) {
          const int64_t a = x + k % 3 - 1, b = y + k / 3 % 3 - 1, c = z + k / 9 - 1;
          if (a < 0 || b < 0 || c < 0 || a >= 13 || b >= 9 || c >= 6) continue;
          auto& v = seen[static_cast<size_t>((c * 9 + b) * 13 + a)];
          if (v != 0) todo.push_back((c * 9 + b) * 13 + a);
          v = 0;
        }
      }
      best = std::max(best, count);
    }
    EXPECT_EQ(mask.certain.count(), best) << "round " << round;
  }
}

}  // namespace
}  // namespace voxloom::infer
