// Whole sequences: V6-V8 of guidewire.md 11.5, ranges, presence of wires.
#include "voxloom/dataset/fluoro_sequence.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "voxloom/core/error.h"
#include "voxloom/core/parallel.h"
#include "voxloom/dataset/fluoro_statistics.h"
#include "voxloom/dataset/sample.h"

#include "ridge.h"

namespace voxloom::dataset {
namespace {

constexpr auto kWire = static_cast<uint8_t>(WireClass::kGuidewire);

FluoroOptions small() {
  FluoroOptions o;
  o.size = 160;
  o.frames = 6;
  o.without_wire = 0.0;
  return o;
}

class ThreadBudget {
 public:
  explicit ThreadBudget(int threads) { set_thread_budget(threads); }
  ~ThreadBudget() { set_thread_budget(0); }
};

TEST(FluoroSequence, V6CentreLineLiesInTheMiddleOfTheLabel) {
  int64_t checked = 0;
  for (int64_t s = 0; s < 6; ++s) {
    FluoroSequence sequence(small(), fluoro_sequence_seed(1, "v6", s));
    const FluoroFrame f = sequence.frame(3);
    if (f.wires.size() > 1) continue;  // the upper wire hides part of the other's label
    const double reach =
        std::max(0.75, 0.5 * sequence.parameters().wire_mm / sequence.parameters().pixel_mm);
    for (const auto& wire : f.wires) {
      for (const auto& stretch : wire.stretches) {
        const auto& q = stretch.points;
        ASSERT_EQ(q.size(), stretch.cnr.size());
        for (size_t i = 4; i + 4 < q.size(); i += 3) {
          // Mean position across the wire of its label pixels near this vertex.
          const double dx = static_cast<double>(q[i + 2][0] - q[i - 2][0]);
          const double dy = static_cast<double>(q[i + 2][1] - q[i - 2][1]);
          const double l = std::hypot(dx, dy);
          double sum = 0.0, count = 0.0;
          const auto cx = static_cast<int64_t>(std::lround(q[i][0]));
          const auto cy = static_cast<int64_t>(std::lround(q[i][1]));
          const auto r = static_cast<int64_t>(std::ceil(reach)) + 2;
          if (cx < r || cy < r || cx >= 160 - r || cy >= 160 - r) continue;
          for (int64_t y = cy - r; y <= cy + r; ++y) {
            for (int64_t x = cx - r; x <= cx + r; ++x) {
              const auto k = static_cast<size_t>(y * 160 + x);
              const double px = static_cast<double>(x) - static_cast<double>(q[i][0]);
              const double py = static_cast<double>(y) - static_cast<double>(q[i][1]);
              const double along = (px * dx + py * dy) / l;
              const double across = (px * dy - py * dx) / l;
              if (std::abs(along) > 1.5 || std::abs(across) > reach + 0.2) continue;
              if (f.instance[k] != wire.instance) continue;
              sum += across;
              count += 1.0;
            }
          }
          ASSERT_GT(count, 0.0);
          EXPECT_LT(std::abs(sum / count), 0.5);
          ++checked;
        }
      }
    }
  }
  EXPECT_GT(checked, 50);
}

TEST(FluoroSequence, V6EveryLabelPixelIsWithinTheRuleOfACentreLine) {
  FluoroSequence sequence(small(), fluoro_sequence_seed(1, "v6", 2));
  const FluoroFrame f = sequence.frame(0);
  const double reach =
      std::max(0.75, 0.5 * sequence.parameters().wire_mm / sequence.parameters().pixel_mm);
  int64_t pixels = 0;
  for (int64_t y = 2; y < 158; ++y) {
    for (int64_t x = 2; x < 158; ++x) {
      if (f.mask[static_cast<size_t>(y * 160 + x)] != kWire) continue;
      ++pixels;
      double nearest = 1e9;
      for (const auto& wire : f.wires) {
        for (const auto& stretch : wire.stretches) {
          for (const auto& q : stretch.points) {
            nearest = std::min(nearest,
                               std::hypot(static_cast<double>(q[0]) - static_cast<double>(x),
                                          static_cast<double>(q[1]) - static_cast<double>(y)));
          }
        }
      }
      EXPECT_LT(nearest, reach + 0.6) << x << "," << y;  // vertices lie 1 px apart
    }
  }
  EXPECT_GT(pixels, 0);
}

TEST(FluoroSequence, V7SameSeedGivesTheSameBytesAtAnyThreadCountAndOrder) {
  FluoroOptions o = small();
  o.without_wire = 0.3;
  for (int64_t s = 0; s < 3; ++s) {
    const uint64_t seed = fluoro_sequence_seed(4, "v7", s);
    std::vector<FluoroFrame> one;
    {
      const ThreadBudget budget(1);
      FluoroSequence sequence(o, seed);
      for (int64_t i = 0; i < o.frames; ++i) one.push_back(sequence.frame(i));
    }
    const ThreadBudget budget(3);
    FluoroSequence sequence(o, seed);
    for (const int64_t i : {5, 0, 3, 1}) {
      const FluoroFrame f = sequence.frame(i);
      const auto& expected = one[static_cast<size_t>(i)];
      EXPECT_EQ(f.frame.pixels, expected.frame.pixels);
      EXPECT_EQ(f.mask, expected.mask);
      EXPECT_EQ(f.instance, expected.instance);
      EXPECT_EQ(f.cnr, expected.cnr);
    }
  }
}

TEST(FluoroSequence, SeedsSplitsAndIndicesGiveDifferentPictures) {
  std::set<uint64_t> seeds;
  for (const uint64_t seed : {1U, 2U}) {
    for (const char* split : {"train", "val", "test"}) {
      for (int64_t i = 0; i < 50; ++i) seeds.insert(fluoro_sequence_seed(seed, split, i));
    }
  }
  EXPECT_EQ(seeds.size(), 300U);
  FluoroSequence a(small(), fluoro_sequence_seed(1, "train", 0));
  FluoroSequence b(small(), fluoro_sequence_seed(1, "val", 0));
  EXPECT_NE(a.frame(0).frame.pixels, b.frame(0).frame.pixels);
}

TEST(FluoroSequence, V8RidgeFilterAloneGetsWorseWithLessDose) {
  std::vector<double> dice;
  for (const char* dose : {"400", "100", "30", "8"}) {
    FluoroOptions o = small();
    o.size = 256;
    o.dose_ngy = dose;
    o.distractors = 0.0;
    o.plain_display = true;
    std::vector<std::vector<float>> ridges;
    std::vector<std::vector<uint8_t>> masks;
    for (int64_t s = 0; s < 8; ++s) {
      FluoroSequence sequence(o, fluoro_sequence_seed(2, "v8", s));
      const FluoroFrame f = sequence.frame(2);
      ridges.push_back(dark_ridges(f.frame.pixels, 256, 256, 1.5));
      masks.push_back(f.mask);
    }
    dice.push_back(best_dice(ridges, masks, kWire));
  }
  for (size_t i = 1; i < dice.size(); ++i) EXPECT_LT(dice[i], dice[i - 1]) << i;
  EXPECT_GT(dice.front(), 0.3);
  RecordProperty("dice_400_100_30_8_ngy",
                 std::to_string(dice[0]) + " " + std::to_string(dice[1]) + " " +
                     std::to_string(dice[2]) + " " + std::to_string(dice[3]));
}

TEST(FluoroSequence, ParametersStayInTheirRanges) {
  FluoroOptions o;
  int64_t inverted = 0;
  for (uint64_t i = 0; i < 4000; ++i) {
    Rng rng(i);
    const FluoroParameters p = sample_fluoro_parameters(o, 0, rng);
    const auto within = [](double v, double lo, double hi) { return v >= lo && v <= hi; };
    ASSERT_TRUE(within(p.dose_ngy, 6, 45));
    ASSERT_TRUE(within(p.detector_pixel_mm, 0.15, 0.31) && within(p.magnification, 1.2, 1.5));
    ASSERT_NEAR(p.photons, p.dose_ngy * 30.0 * p.detector_pixel_mm * p.detector_pixel_mm, 1e-9);
    ASSERT_TRUE(within(p.scatter_ratio, 0.5, 2) && within(p.scatter_sigma_px, 40, 80));
    ASSERT_TRUE(within(p.focal_sigma_px, 0.3, 1) && within(p.detector_sigma_px, 0.4, 0.7));
    ASSERT_TRUE(within(p.dqe, 0.6, 0.75) && within(p.lag, 0.02, 0.1));
    ASSERT_TRUE(within(p.gamma, 0.6, 1.6) && within(p.sharpening, 0, 1));
    ASSERT_TRUE(within(p.recursive, 0, 0.5) && within(p.noise_correlation_px, 0, 1));
    ASSERT_TRUE(within(p.chest_mm, 160, 260) && within(p.rib_period_mm, 20, 30));
    ASSERT_TRUE(within(p.breathing_hz, 0.2, 0.33) && within(p.diaphragm_mm, 10, 20));
    ASSERT_TRUE(within(p.heart_per_minute, 60, 100) && within(p.coronary_mm, 4, 15));
    ASSERT_TRUE(within(p.iodine_mu, 0.113, 0.281) && within(p.tip_mm, 20, 40));
    ASSERT_TRUE(within(p.tip_gain, 2, 3) && within(p.j_mm, 3, 5) && within(p.j_radius_mm, 2, 4));
    inverted += p.inverted ? 1 : 0;
  }
  EXPECT_NEAR(static_cast<double>(inverted) / 4000.0, 0.05, 0.02);
}

TEST(FluoroSequence, ThirtyPercentOfTheFramesHaveNoWire) {
  FluoroOptions o;
  double without = 0.0;
  for (int64_t i = 0; i < 4000; ++i) {
    Rng rng(static_cast<uint64_t>(i));
    const FluoroParameters p = sample_fluoro_parameters(o, i % 2 == 0 ? -1 : i, rng);
    const double duration = static_cast<double>(o.frames) / o.fps;
    without += p.wires == 0 ? 1.0 : p.absent_until_s / duration;
  }
  // A small set keeps the share.
  double in_twenty = 0.0;
  for (int64_t i = 0; i < 20; ++i) {
    Rng rng(static_cast<uint64_t>(i) + 77);
    in_twenty += sample_fluoro_parameters(o, i, rng).wires == 0 ? 1.0 : 0.0;
  }
  EXPECT_NEAR(in_twenty, 5.0, 1.0);
  EXPECT_NEAR(without / 4000.0, 0.30, 0.025);
}

TEST(FluoroSequence, SequenceWithoutWireHasNoWireLabel) {
  FluoroOptions o = small();
  o.without_wire = 1.0;
  for (int64_t s = 0; s < 4; ++s) {
    FluoroSequence sequence(o, fluoro_sequence_seed(3, "none", s));
    const FluoroFrame f = sequence.frame(1);
    EXPECT_EQ(std::count(f.mask.begin(), f.mask.end(), kWire), 0);
    EXPECT_TRUE(f.wires.empty());
    EXPECT_FALSE(f.wire_visible);
  }
}

TEST(FluoroSequence, WireIsDarkerThanItsSurroundingsAndItsCnrFallsWithDose) {
  std::vector<double> cnr;
  for (const char* dose : {"200", "20"}) {
    FluoroOptions o = small();
    o.size = 256;
    o.dose_ngy = dose;
    FluoroSequence sequence(o, fluoro_sequence_seed(1, "cnr", 3));
    const FluoroFrame f = sequence.frame(2);
    ASSERT_FALSE(f.wires.empty());
    cnr.push_back(f.wires.front().cnr);
    FluoroCnrHistogram histogram;
    histogram.add(sequence.parameters().dose_ngy, f);
    EXPECT_GT(f.wires.front().matched_snr, f.wires.front().cnr);
  }
  EXPECT_GT(cnr[1], 0.0);
  EXPECT_NEAR(cnr[0] / cnr[1], std::sqrt(10.0), 0.35);
}

TEST(FluoroSequence, BadOptionsAreRefused) {
  const auto refused = [](auto change) {
    FluoroOptions o;
    change(o);
    EXPECT_THROW(o.validate(), Error);
  };
  refused([](FluoroOptions& o) { o.size = 8; });
  refused([](FluoroOptions& o) { o.fps = 0.0; });
  refused([](FluoroOptions& o) { o.dose_ngy = "20;40"; });
  refused([](FluoroOptions& o) { o.dose_ngy = "45,6"; });
  refused([](FluoroOptions& o) { o.dose_ngy = ""; });
  refused([](FluoroOptions& o) { o.without_wire = 1.5; });
  FluoroSequence sequence(small(), 1);
  EXPECT_THROW(static_cast<void>(sequence.frame(6)), Error);
  EXPECT_EQ(parse_fluoro_dose("6,20,45").list.size(), 3U);
  EXPECT_EQ(parse_fluoro_dose("6,45").hi, 45.0);
}

}  // namespace
}  // namespace voxloom::dataset
