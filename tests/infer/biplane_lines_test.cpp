// Outside data of 'wire biplane': calibrations, lines of the tracker, pairs in time, and what is
// written.
#include "voxloom/infer/biplane_lines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "voxloom/core/error.h"
#include "voxloom/infer/biplane_calibration.h"
#include "voxloom/infer/biplane_picture.h"

#include "biplane_pairs.h"

namespace voxloom::infer {
namespace {

using testing::HasSubstr;

constexpr const char* kArm =
    R"({"c_arm":{"sid_mm":1100,"sod_mm":720,"primary_deg":-45,"secondary_deg":0,"pixel_mm":0.2},
        "width":1024,"height":1024})";
constexpr const char* kMatrix =
    R"({"projection":[[5500,0,0,400000],[0,5500,0,400000],[0,0,1,720]],"name":"lateral",
        "time_offset_s":0.5})";

std::string calibration(const std::string& a, const std::string& b) {
  return R"({"voxloom_biplane":1,"views":[)" + a + "," + b + "]}";
}

/// What the error of reading says.
template <class Call>
std::string refusal(Call call) {
  try {
    static_cast<void>(call());
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

TEST(BiplaneCalibrationTest, ReadsAnglesAndMatrices) {
  const auto views = parse_biplane_calibration(calibration(kArm, kMatrix), "c.json");
  EXPECT_EQ(views[0].name, "A");
  EXPECT_EQ((*views[0].size)[0], 1024);
  const auto expected = project_c_arm(arm_at(-45), "a");
  for (size_t k = 0; k < 3; ++k) {
    EXPECT_NEAR(views[0].projection.source()[k], expected.source()[k], 1e-9);
  }
  EXPECT_EQ(views[1].name, "lateral");
  EXPECT_EQ(views[1].time_offset_s, 0.5);
  EXPECT_FALSE(views[1].size);
  EXPECT_NEAR(views[1].projection.source()[2], -720.0, 1e-9);
}

TEST(BiplaneCalibrationTest, SaysWhatIsWrongAndWhere) {
  const std::string arm = kArm, matrix = kMatrix;
  const auto with = [](std::string text, const std::string& from, const std::string& to) {
    const auto at = text.find(from);
    EXPECT_NE(at, std::string::npos);
    return text.replace(at, from.size(), to);
  };
  const std::pair<std::string, const char*> cases[] = {
      {"[]", "c.json: must be an object, got array"},
      {"{", "c.json: must be valid JSON"},
      {R"({"views":[]})", "must have 'voxloom_biplane'"},
      {R"({"voxloom_biplane":2,"views":[]})", "voxloom_biplane must be 1, got 2"},
      {R"({"voxloom_biplane":1,"views":[1]})", "views must be a list of 2, got 1"},
      {R"({"voxloom_biplane":1,"views":[1,2]})", "c.json: view A: must be an object"},
      {calibration(arm, "{}"), "view B: must have either 'c_arm' or 'projection', got neither"},
      {calibration(with(arm, R"("width":1024,)", ""), matrix), "'width' and 'height'"},
      {calibration(with(arm, "1024,", "0,"), matrix), "view A.width"},
      {calibration(with(arm, "sid_mm", "sdi_mm"), matrix), "unknown key 'sdi_mm'"},
      {calibration(with(arm, R"("sod_mm":720,)", ""), matrix), "view A.c_arm: must have 'sod_mm'"},
      {calibration(with(arm, "-45", "\"LAO\""), matrix), "primary_deg: must be a finite number"},
      {calibration(with(arm, "-45", "-450"), matrix), "primary_deg must lie within [-180, 180]"},
      {calibration(with(arm, ":0.2}", ":[1]}"), matrix), "pixel_mm: must be a list of 2 numbers"},
      {calibration(arm, with(matrix, "[0,0,1,720]", "[0,0,1]")), "view B.projection row 2"},
      {calibration(arm, with(matrix, ",[0,0,1,720]", "")), "must be 3 rows of 4 numbers"},
      {calibration(arm, with(matrix, "[0,0,1,720]", "[0,0,0,0]")), "must be of rank 3"},
      {calibration(arm, with(matrix, "\"lateral\"", "7")), "name: must be text"},
  };
  for (const auto& [text, says] : cases) {
    EXPECT_THAT(refusal([&text = text] { return parse_biplane_calibration(text, "c.json"); }),
                HasSubstr(says))
        << text;
  }
}

constexpr const char* kLine =
    R"({"frame":3,"time_s":0.2,"state":"tracking","rle":{"size":[480,640],"counts":""},)"
    R"("centerline":[[1,2],[2,2],[3,2.5],[4,3]],"gaps":[[1,3]]})";

TEST(TrackedLinesTest, ReadsLinesAndLeavesBridgedPointsOut) {
  const auto lines = parse_tracked_lines(
      std::string(kLine) + "\n\n" +
          R"({"frame":4,"time_s":0.3,"state":"lost","centerline":[],"tip":null})",
      "a.jsonl");
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].frame, 3);
  EXPECT_EQ((*lines[0].size)[0], 640);
  EXPECT_EQ(lines[0].curve.points[2][1], 2.5);
  EXPECT_THAT(lines[0].curve.seen, testing::ElementsAre(1, 1, 0, 1));
  EXPECT_EQ(lines[1].state, "lost");
  EXPECT_FALSE(lines[1].size);
}

TEST(TrackedLinesTest, DamagedLinesAreNamed) {
  const std::string good = kLine;
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    const auto at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
  };
  const std::pair<std::string, const char*> cases[] = {
      {good + "\n{", "a.jsonl line 2: must be valid JSON"},
      {"7", "a.jsonl line 1: must be a JSON object"},
      {with("\"time_s\":0.2,", ""), "time_s must be a finite number"},
      {with("tracking", "sleeping"), "state must be tracking, predicted or lost"},
      {with("[2,2]", "[2]"), "must be pairs of numbers"},
      {with("[2,2]", "[2,1e9]"), "must lie within"},
      {with("[[1,3]]", "[[1,4]]"), "a gap must be [first, last] of the 4 points"},
      {with("[[1,3]]", "[[-1,3]]"), "a gap must be"},
      {with("[[1,3]]", "[[3,1]]"), "a gap must be"},
      {with("[480,640]", "480"), "rle.size"},
      {good + "\n" + with("0.2", "0.1"), "line 2: time_s must not be before the last line's"},
  };
  for (const auto& [text, says] : cases) {
    EXPECT_THAT(refusal([&text = text] { return parse_tracked_lines(text, "a.jsonl"); }),
                HasSubstr(says))
        << text;
  }
}

std::vector<TrackedLine> at_times(const std::vector<double>& times) {
  std::vector<TrackedLine> lines;
  for (const double t : times) {
    lines.push_back({.time_s = t, .state = "lost", .size = {}, .curve = {}});
  }
  return lines;
}

TEST(PairLinesTest, TakesTheNearestInTimeAndEachOnce) {
  // B is twice as fast at first, then stops for a while.
  const auto a = at_times({0.0, 0.1, 0.2, 0.3, 0.4}), b = at_times({0.01, 0.06, 0.11, 0.16, 0.41});
  const auto pairs = pair_lines(a, b, {0.0, 0.0}, 0.03);
  ASSERT_EQ(pairs.size(), 3u);
  EXPECT_EQ(pairs[0].b, 0u);
  EXPECT_EQ(pairs[1].b, 2u);
  EXPECT_EQ(pairs[2].a, 4u);
  EXPECT_EQ(pairs[2].b, 4u);
  EXPECT_NEAR(pairs[2].skew_s, 0.01, 1e-12);
  // One line of B for two of A belongs to the nearer one.
  EXPECT_EQ(pair_lines(at_times({0.0, 0.1}), at_times({0.09}), {0.0, 0.0}, 1.0).at(0).a, 1u);
  // The offset moves B.
  EXPECT_EQ(pair_lines(a, at_times({10.0}), {0.0, -9.8}, 0.03).at(0).a, 2u);
  EXPECT_TRUE(pair_lines(a, at_times({10.0}), {0.0, 0.0}, 0.03).empty());
  EXPECT_TRUE(pair_lines(a, {}, {0.0, 0.0}, 0.03).empty());
}

TEST(BiplaneJsonTest, HoldsTheCurveAndNamesWhatIsWeak) {
  Rng rng(7);
  const std::array<BiplaneView, 2> views{
      BiplaneView{.projection = project_c_arm(arm_at(-45), "a"), .name = "<A>", .size = {}},
      BiplaneView{.projection = project_c_arm(arm_at(45), "b"), .name = "B", .size = {}}};
  const BiplaneRig rig(views[0].projection, views[1].projection);
  const auto wire = random_wire(rng);
  TrackedLine a{.frame = 5,
                .time_s = 1.0,
                .state = "tracking",
                .size = {},
                .curve = see_wire(rig.view(0), wire, 0.3, {{0.4, 0.5}}, true, rng)};
  TrackedLine b{.frame = 6,
                .time_s = 1.0,
                .state = "tracking",
                .size = {},
                .curve = see_wire(rig.view(1), wire, 0.3, {}, true, rng)};
  const auto curve = reconstruct_pair(rig, a, b, {});
  const auto json = biplane_to_json(curve, a, b, 1.0, 0.004);
  EXPECT_EQ(json["state"], "found");
  EXPECT_EQ(json["frames"].dump(), "[5,6]");
  EXPECT_EQ(json["centerline_mm"].size(), curve.points.size());
  EXPECT_EQ(json["std_mm"].size(), curve.points.size());
  EXPECT_EQ(json["spline"]["knots"].size(), json["spline"]["coefficients"].size() + 4);
  EXPECT_NEAR(json["tip_mm"][0].get<double>(), wire.back()[0], 1.0);
  // A's gap, and nothing else, is known from B alone.
  ASSERT_EQ(json["not_in_both"].size(), 1u);
  EXPECT_EQ(json["not_in_both"][0]["seen_in"], "B");
  const auto picture = draw_biplane(rig, views, a, b, curve);
  EXPECT_THAT(picture, HasSubstr("&lt;A&gt;"));
  EXPECT_THAT(picture, testing::Not(HasSubstr("nan")));

  a.state = "predicted";
  const auto none = biplane_to_json(reconstruct_pair(rig, a, b, {}), a, b, 1.0, 0.0);
  EXPECT_EQ(none["state"], "absent");
  EXPECT_EQ(none["reason"], "view A: the wire is predicted");
}

}  // namespace
}  // namespace voxloom::infer
