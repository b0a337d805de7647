#include "voxloom/metrics/wire_metrics.h"

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "voxloom/core/error.h"
#include "voxloom/metrics/wire_table.h"

#include "guidewire_golden.h"
#include "random_masks.h"

namespace voxloom::metrics {
namespace {

std::map<std::string, std::optional<double>> named(const WireMetrics& m) {
  std::map<std::string, std::optional<double>> out;
  for (const auto& v : m.values()) {
    EXPECT_TRUE(out.emplace(v.name, v.value).second) << v.name << " twice";
  }
  return out;
}

TEST(WireMetricsTest, EqualsTheGoldenExample) {
  const test::WireExample example;
  const auto& hard = example.golden.at("hard");
  const auto predicted = threshold_mask(example.probability);
  const auto m =
      measure_wire({.width = 32, .height = 32, .truth = example.truth, .predicted = predicted});
  const auto v = named(m);
  const auto expect = [&](const char* ours, const nlohmann::ordered_json& want) {
    EXPECT_NEAR(v.at(ours).value(), want.get<double>(), 1e-9) << ours;
  };
  expect("dice", hard.at("dice"));
  expect("iou", hard.at("iou"));
  expect("precision", hard.at("precision"));
  expect("recall", hard.at("recall"));
  expect("hd_px", hard.at("hd"));
  expect("hd95_px", hard.at("hd95_max_of_directed_linear"));
  expect("hd95_pooled_px", hard.at("hd95_pooled"));
  expect("assd_px", hard.at("assd_pooled"));
  expect("assd_directed_px", hard.at("assd_mean_of_means"));
  expect("b0_predicted", hard.at("b0_pred_8conn"));
  expect("b0_truth", hard.at("b0_gt_8conn"));
  const auto& guo_hall = example.golden.at("skeleton_variants").at("guo_hall");
  expect("cldice", guo_hall.at("cldice"));
  expect("cldice_precision", guo_hall.at("tprec"));
  expect("cldice_sensitivity", guo_hall.at("tsens"));
  EXPECT_EQ(v.at("b0_error"), 2.0);
  EXPECT_EQ(v.at("b1_error"), 0.0);
  EXPECT_EQ(v.at("spurious"), 1.0);  // The straight false line.
  const auto json = m.to_json();
  EXPECT_EQ(json.at("thinning"), "guo_hall");
  EXPECT_EQ(json.at("skeleton_pixels").at("predicted"), guo_hall.at("skel_pred_px"));
  EXPECT_TRUE(json.at("tip_error_px").is_null());
  EXPECT_FALSE(json.contains("tip_error_mm"));
}

TEST(WireMetricsTest, APerfectPredictionIsPerfect) {
  Rng rng(1);
  for (int i = 0; i < 20; ++i) {
    const auto t = test::random_wires(rng, 48, 40, 2);
    const auto v = named(measure_wire({.width = 48,
                                       .height = 40,
                                       .truth = t.pixels,
                                       .predicted = t.pixels,
                                       .truth_tip = Tip{{4, 5}},
                                       .predicted_tip = Tip{{4, 5}},
                                       .pixel_mm = 0.3}));
    for (const auto& [name, value] : v) {
      const bool is_error =
          name.find("_px") != std::string::npos || name.find("_mm") != std::string::npos ||
          name.find("_error") != std::string::npos || name == "breaks" || name == "spurious";
      if (name.starts_with("b0_") || name.starts_with("b1_")) continue;
      if (!value) continue;
      EXPECT_NEAR(*value, is_error ? 0.0 : 1.0, 1e-12) << name;
    }
    EXPECT_EQ(v.at("b0_error"), 0.0);
    EXPECT_EQ(v.at("b1_error"), 0.0);
  }
}

// Skeletons depend a little on the direction of thinning, so what rests on them is left out.
TEST(WireMetricsTest, NumbersWithoutSkeletonStayUnderFlipsAndTurns) {
  Rng rng(2);
  for (int i = 0; i < 10; ++i) {
    const auto t = test::random_wires(rng, 40, 32), p = test::random_wires(rng, 40, 32);
    const auto base =
        named(measure_wire({.width = 40, .height = 32, .truth = t.pixels, .predicted = p.pixels}));
    for (int symmetry = 1; symmetry < 8; ++symmetry) {
      const auto a = test::turned(t, symmetry), b = test::turned(p, symmetry);
      const auto v = named(measure_wire(
          {.width = a.width, .height = a.height, .truth = a.pixels, .predicted = b.pixels}));
      for (const char* name : {"dice",
                               "mcc",
                               "hd_px",
                               "hd95_px",
                               "hd95_pooled_px",
                               "assd_px",
                               "surface_f1_2px",
                               "b0_error",
                               "b1_error",
                               "b0_predicted"}) {
        EXPECT_NEAR(v.at(name).value(), base.at(name).value(), 1e-12) << name;
      }
    }
  }
}

TEST(WireMetricsTest, EverythingStaysWhenBothMasksMoveInsideTheImage) {
  Rng rng(3);
  for (int i = 0; i < 10; ++i) {
    const auto t = test::random_wires(rng, 30, 30), p = test::random_wires(rng, 30, 30);
    std::vector<std::map<std::string, std::optional<double>>> results;
    for (const int64_t shift : {3, 8}) {
      const auto a = test::moved(t, shift, 2 * shift, 64, 64);
      const auto b = test::moved(p, shift, 2 * shift, 64, 64);
      results.push_back(named(
          measure_wire({.width = 64, .height = 64, .truth = a.pixels, .predicted = b.pixels})));
    }
    EXPECT_EQ(results[0], results[1]);
  }
}

TEST(WireMetricsTest, IgnoredPixelsCountForNothing) {
  const test::WireExample example;
  // Everything the prediction has wrong to the left is ignored.
  std::vector<uint8_t> ignore(32 * 32, 0), cleaned = example.predicted;
  for (size_t y = 0; y < 32; ++y) {
    for (size_t x = 0; x < 6; ++x) ignore[y * 32 + x] = 1, cleaned[y * 32 + x] = 0;
  }
  const auto with = measure_wire({.width = 32,
                                  .height = 32,
                                  .truth = example.truth,
                                  .predicted = example.predicted,
                                  .ignore = ignore});
  const auto without =
      measure_wire({.width = 32, .height = 32, .truth = example.truth, .predicted = cleaned});
  auto a = named(with), b = named(without);
  EXPECT_EQ(with.pixels.ignored, 32 * 6);
  for (const char* name : {"specificity", "accuracy", "mcc"}) a.erase(name), b.erase(name);
  EXPECT_EQ(a, b);
  EXPECT_EQ(with.spurious, 0);
}

TEST(WireMetricsTest, PixelSizeGivesMillimetresAndTheirTolerances) {
  const test::WireExample example;
  const auto m = measure_wire({.width = 32,
                               .height = 32,
                               .truth = example.truth,
                               .predicted = example.predicted,
                               .truth_tip = Tip{{10, 10}},
                               .predicted_tip = Tip{{13, 14}},
                               .pixel_mm = 0.5});
  const auto v = named(m);
  EXPECT_DOUBLE_EQ(v.at("hd_mm").value(), 0.5 * v.at("hd_px").value());
  EXPECT_DOUBLE_EQ(v.at("tip_error_mm").value(), 2.5);
  EXPECT_EQ(v.at("surface_f1_1mm"), v.at("surface_f1_2px"));
  EXPECT_EQ(v.at("line_recall_0.5mm"), v.at("line_recall_1px"));
}

TEST(WireMetricsTest, AGivenCentreLineReplacesTheSkeletonOfTheTruth) {
  std::vector<uint8_t> truth(20 * 10, 0), predicted(20 * 10, 0);
  for (size_t x = 0; x < 20; ++x) {
    truth[4 * 20 + x] = truth[5 * 20 + x] = 1;
    predicted[7 * 20 + x] = 1;
  }
  const std::vector<std::array<double, 2>> line{{0, 4}, {19, 4}};
  const auto v = named(measure_wire(
      {.width = 20, .height = 10, .truth = truth, .predicted = predicted, .truth_line = line}));
  EXPECT_DOUBLE_EQ(v.at("line_px").value(), 3.0);
  EXPECT_EQ(v.at("line_f1_2px"), 0.0);
  EXPECT_EQ(v.at("line_f1_3px"), 1.0);
  EXPECT_EQ(v.at("breaks"), 1.0);
}

TEST(WireMetricsTest, EmptyMasksAreDefinedAndFlagged) {
  const std::vector<uint8_t> empty(30 * 40, 0);
  std::vector<uint8_t> line = empty;
  for (size_t x = 5; x < 25; ++x) line[10 * 30 + x] = 1;
  const auto both = measure_wire({.width = 30, .height = 40, .truth = empty, .predicted = empty});
  EXPECT_TRUE(both.both_empty());
  EXPECT_EQ(named(both).at("dice"), 1.0);
  EXPECT_EQ(named(both).at("cldice"), 1.0);
  EXPECT_EQ(named(both).at("hd_px"), 0.0);
  EXPECT_EQ(named(both).at("false_positive_px_without_truth"), 0.0);
  const auto alarm = measure_wire({.width = 30, .height = 40, .truth = empty, .predicted = line});
  EXPECT_TRUE(alarm.one_empty());
  EXPECT_EQ(named(alarm).at("dice"), 0.0);
  EXPECT_EQ(named(alarm).at("cldice"), 0.0);
  EXPECT_DOUBLE_EQ(named(alarm).at("hd_px").value(), std::hypot(29.0, 39.0));
  EXPECT_EQ(named(alarm).at("false_positive_px_without_truth"), 20.0);
  EXPECT_EQ(named(alarm).at("spurious"), 1.0);
  const auto missed = measure_wire({.width = 30, .height = 40, .truth = line, .predicted = empty});
  EXPECT_EQ(named(missed).at("breaks"), 1.0);
  EXPECT_FALSE(named(missed).at("false_positive_px_without_truth").has_value());
  EXPECT_EQ(named(missed).at("davis_f"), 0.0);
}

TEST(WireMetricsTest, BadInputSaysWhatMustHold) {
  const std::vector<uint8_t> a(12, 1), b(11, 1);
  try {
    static_cast<void>(measure_wire({.width = 4, .height = 3, .truth = a, .predicted = b}));
    FAIL();
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(),
                 "wire metrics: masks must hold 4x3 pixels, got truth 12, prediction 11, ignore 0");
  }
  EXPECT_THROW(static_cast<void>(measure_wire(
                   {.width = 4, .height = 3, .truth = a, .predicted = a, .pixel_mm = -1})),
               Error);
}

// Three sequences of four frames; the prediction gets worse from one to the next.
WireTable make_table(int64_t extra_shift, bool with_tips = true) {
  WireTable table;
  for (int64_t s = 0; s < 3; ++s) {
    for (int64_t f = 0; f < 4; ++f) {
      std::vector<uint8_t> truth(40 * 30, 0), predicted(40 * 30, 0);
      for (int64_t x = 2; x < 30 + f; ++x) {
        for (int64_t y = 10; y < 14; ++y) {
          truth[static_cast<size_t>(y * 40 + x)] = 1;
          predicted[static_cast<size_t>((y + s + extra_shift) * 40 + x)] = 1;
        }
      }
      const auto tip = [&](double dx) {
        return with_tips ? Tip{{29.0 + static_cast<double>(f) + dx, 12.0}} : Tip{};
      };
      table.add("s" + std::to_string(s) + "/" + std::to_string(f),
                "s" + std::to_string(s),
                measure_wire({.width = 40,
                              .height = 30,
                              .truth = truth,
                              .predicted = predicted,
                              .truth_tip = tip(0),
                              .predicted_tip = f == 2 ? Tip{} : tip(static_cast<double>(s))}));
    }
  }
  return table;
}

TEST(WireTableTest, MeansAreOverImagesAndIntervalsOverSequences) {
  const WireTable table = make_table(0);
  const auto json = table.to_json(2000, 7);
  EXPECT_EQ(json.at("cases"), 12);
  EXPECT_EQ(json.at("sequences"), 3);
  EXPECT_EQ(json.at("thinning"), "guo_hall");
  const auto& dice = json.at("metrics").at("dice");
  EXPECT_NEAR(dice.at("mean").get<double>(), (1.0 + 0.75 + 0.5) / 3, 1e-12);
  EXPECT_NEAR(dice.at("ci95").at(0).get<double>(), 0.5, 1e-9);
  EXPECT_NEAR(dice.at("ci95").at(1).get<double>(), 1.0, 1e-9);
  EXPECT_EQ(dice.at("cases"), 12);
  EXPECT_NEAR(json.at("pooled").at("dice").at("value").get<double>(), 0.75, 1e-12);
  const Interval i = table.mean_of("dice", {.confidence = 0.95, .resamples = 2000, .seed = 7});
  EXPECT_EQ(dice.at("mean"), i.value);
  EXPECT_EQ(dice.at("ci95").at(1), i.high);
  EXPECT_EQ(json.at("metrics").at("tip_error_px").at("cases"), 9);
  EXPECT_NEAR(json.at("metrics").at("tip_error_px").at("mean").get<double>(), 1.0, 1e-12);
  EXPECT_EQ(json.at("metrics").at("false_positive_px_without_truth").at("cases"), 0);
  EXPECT_TRUE(json.at("metrics").at("false_positive_px_without_truth").at("mean").is_null());
  EXPECT_EQ(json.at("tip").at("missing"), 3);
  EXPECT_EQ(json.at("tip").at("pck_3px"), 0.75);
  EXPECT_EQ(json.at("per_case").size(), 12U);
  EXPECT_EQ(json.at("per_case").at(5).at("id"), "s1/1");
  ASSERT_EQ(json.at("per_sequence").size(), 3U);
  EXPECT_EQ(json.at("per_sequence").at(0).at("davis").at("frames"), 2);
  EXPECT_EQ(json.at("per_sequence").at(0).at("davis").at("j_mean"), 1.0);
  EXPECT_NEAR(json.at("per_sequence").at(2).at("davis").at("j_mean").get<double>(), 1.0 / 3, 1e-12);
  EXPECT_NEAR(json.at("temporal").at("dice_std").get<double>(), 0.0, 1e-12);
  EXPECT_TRUE(json.at("temporal").at("tip_jitter_px").is_null());
  EXPECT_EQ(table.to_json(2000, 7), json) << "the same seed gives the same table";
}

TEST(WireTableTest, PooledRatiosAreThoseOfTheSummedPixels) {
  Rng rng(4);
  WireTable table;
  PixelCounts all;
  for (int i = 0; i < 6; ++i) {
    const auto t = test::random_wires(rng, 30, 30), p = test::random_wires(rng, 30, 30);
    const auto m =
        measure_wire({.width = 30, .height = 30, .truth = t.pixels, .predicted = p.pixels});
    all += m.pixels;
    table.add(std::to_string(i), std::to_string(i % 2), m);
  }
  const auto pooled = table.to_json(100).at("pooled");
  EXPECT_NEAR(pooled.at("dice").at("value").get<double>(), all.dice(), 1e-12);
  EXPECT_NEAR(pooled.at("iou").at("value").get<double>(), all.iou(), 1e-12);
  EXPECT_NEAR(pooled.at("precision").at("value").get<double>(), all.precision(), 1e-12);
  EXPECT_NEAR(pooled.at("recall").at("value").get<double>(), all.recall(), 1e-12);
}

TEST(WireTableTest, TablesAreComparedCaseByCase) {
  const WireTable good = make_table(0), bad = make_table(1);
  const PairedDifference d = compare_tables(good, bad, "dice");
  EXPECT_NEAR(d.difference.value, 0.25, 1e-12);
  EXPECT_NEAR(d.difference.low, 0.25, 1e-12);
  EXPECT_LT(d.p, 0.001);
  EXPECT_EQ(d.cases, 12);
  EXPECT_EQ(d.groups, 3);
  EXPECT_EQ(compare_tables(good, good, "dice").p, 1.0);
  EXPECT_EQ(compare_tables(good, bad, "tip_error_px").cases, 9);
}

TEST(WireTableTest, BadTablesAreErrors) {
  WireTable table = make_table(0, false);
  const WireMetrics m = table.rows().front().metrics;
  EXPECT_THROW(table.add("s0/0", "s0", m), Error);
  WireMetrics other = m;
  other.thinning = image::Thinning::kLee;
  EXPECT_THROW(table.add("new", "s0", other), Error);
  EXPECT_THROW(static_cast<void>(table.mean_of("tip_error_px")), Error);
  EXPECT_THROW(static_cast<void>(table.mean_of("no such number")), Error);
  EXPECT_THROW(static_cast<void>(WireTable().to_json()), Error);
  EXPECT_THROW(static_cast<void>(compare_tables(table, table, "tip_error_px")), Error);
  WireTable less;
  less.add("s0/0", "s0", m);
  EXPECT_THROW(static_cast<void>(compare_tables(table, less, "dice")), Error);
}

}  // namespace
}  // namespace voxloom::metrics
