#include "voxloom/image/skeleton_graph.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "voxloom/core/error.h"
#include "voxloom/image/skeleton.h"
#include "voxloom/metrics/topology.h"

#include "../metrics/random_masks.h"

namespace voxloom::image {
namespace {

struct Picture {
  int64_t width = 0, height = 0;
  std::vector<uint8_t> pixels;

  explicit Picture(const std::vector<std::string>& rows)
      : width(static_cast<int64_t>(rows.front().size())),
        height(static_cast<int64_t>(rows.size())) {
    for (const auto& row : rows) {
      for (const char c : row) pixels.push_back(c == '#');
    }
  }
};

std::vector<std::string> rows_of(const std::vector<uint8_t>& mask, int64_t width) {
  std::vector<std::string> rows;
  for (size_t i = 0; i < mask.size(); ++i) {
    if (i % static_cast<size_t>(width) == 0) rows.emplace_back();
    rows.back().push_back(mask[i] != 0 ? '#' : '.');
  }
  return rows;
}

TEST(SkeletonGraphTest, DegreesCountNeighboursOnTheLine) {
  const Picture p({"#....", ".##..", "...#.", "#...."});
  const auto degrees = pixel_degrees(p.pixels, 5, 4);
  EXPECT_EQ(degrees,
            (std::vector<uint8_t>{1, 0, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0}));
}

TEST(SkeletonGraphTest, BendsLoseTheirCornerAndAreNoJunctions) {
  const Picture bend({"###..", "..#..", "..###"});
  EXPECT_EQ(rows_of(remove_corners(bend.pixels, 5, 3), 5),
            (std::vector<std::string>{"##...", "..#..", "...##"}));
  EXPECT_EQ(rows_of(junctions(bend.pixels, 5, 3), 5), std::vector<std::string>(3, "....."));
}

TEST(SkeletonGraphTest, LinesWithoutAJunctionStayWhateverTheRadius) {
  std::vector<uint8_t> line(32 * 8, 0);
  for (size_t x = 4; x < 9; ++x) line[3 * 32 + x] = 1;
  const std::vector<float> radius(line.size(), 100.0F);
  EXPECT_EQ(prune_spurs(line, 32, 8, {.radius_px = radius}), line);
}

TEST(SkeletonGraphTest, ForksAndCrossingsAreJunctions) {
  const Picture fork({"#...#", ".#.#.", "..#..", "..#.."});
  EXPECT_EQ(rows_of(junctions(fork.pixels, 5, 4), 5),
            (std::vector<std::string>{".....", ".....", "..#..", "....."}));
  const Picture cross({"#...#", ".#.#.", "..#..", ".#.#.", "#...#"});
  EXPECT_EQ(rows_of(junctions(cross.pixels, 5, 5), 5)[2], "..#..");
}

TEST(SkeletonGraphTest, ShortSpursGoAndTheLineStaysWhole) {
  const Picture p({"............#.......",
                   "............#.......",
                   "####################",
                   "......#.............",
                   "......#.............",
                   "......#.............",
                   "......#.............",
                   "......#.............",
                   "......#............."});
  EXPECT_EQ(rows_of(prune_spurs(p.pixels, 20, 9), 20),
            (std::vector<std::string>{"....................",
                                      "....................",
                                      "####################",
                                      "......#.............",
                                      "......#.............",
                                      "......#.............",
                                      "......#.............",
                                      "......#.............",
                                      "......#............."}));
}

TEST(SkeletonGraphTest, LinesWithoutJunctionStayWhateverTheirLength) {
  const Picture p({"##....", "......", "...#..", "....#."});
  EXPECT_EQ(prune_spurs(p.pixels, 6, 4), p.pixels);
}

// Of a fork with two short arms the shorter one goes; the other then is the line's own end.
TEST(SkeletonGraphTest, TheShortestSpurGoesFirst) {
  const Picture p({"..........#.", ".........#..", "#########...", ".........#.."});
  EXPECT_EQ(
      rows_of(prune_spurs(p.pixels, 12, 4), 12),
      (std::vector<std::string>{"..........#.", ".........#..", "#########...", "............"}));
}

TEST(SkeletonGraphTest, WideObjectsAllowLongerSpurs) {
  std::vector<uint8_t> line(20 * 12, 0);
  for (size_t x = 0; x < 20; ++x) line[10 * 20 + x] = 1;
  for (size_t y = 2; y < 10; ++y) line[y * 20 + 9] = 1;  // 8 px long.
  EXPECT_NE(rows_of(prune_spurs(line, 20, 12), 20)[3], std::string(20, '.'));
  const std::vector<float> radius(line.size(), 6.0F);
  SpurRule rule;
  rule.radius_px = radius;
  EXPECT_EQ(rows_of(prune_spurs(line, 20, 12, rule), 20)[3], std::string(20, '.'));
}

TEST(SkeletonGraphTest, PruningKeepsEveryComponentAndLoop) {
  Rng rng(8);
  for (int i = 0; i < 150; ++i) {
    const auto m = test::random_wires(rng, 40, 40, 4);
    const auto skeleton = skeletonize(m.pixels, 40, 40);
    const auto pruned = prune_spurs(skeleton, 40, 40);
    EXPECT_EQ(metrics::betti_numbers(pruned, 40, 40), metrics::betti_numbers(skeleton, 40, 40))
        << i;
    EXPECT_EQ(prune_spurs(pruned, 40, 40), pruned) << i;
    EXPECT_EQ(metrics::betti_numbers(remove_corners(skeleton, 40, 40), 40, 40),
              metrics::betti_numbers(skeleton, 40, 40))
        << i;
  }
}

TEST(SkeletonGraphTest, WrongLengthsAreErrors) {
  const std::vector<uint8_t> m(6, 1);
  const std::vector<float> radius(5);
  EXPECT_THROW(static_cast<void>(junctions(m, 2, 2)), Error);
  SpurRule rule;
  rule.radius_px = radius;
  EXPECT_THROW(static_cast<void>(prune_spurs(m, 2, 3, rule)), Error);
}

}  // namespace
}  // namespace voxloom::image
