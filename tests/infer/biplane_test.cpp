// Curves in space from two views: the geometry on known cases, and simulated pairs with noise and
// missing parts.
#include <chrono>
#include <iostream>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "voxloom/core/error.h"
#include "voxloom/infer/biplane_curve.h"

#include "biplane_pairs.h"

namespace voxloom::infer {
namespace {

using testing::HasSubstr;

/// What the error says, or nothing.
template <class Call>
std::string refusal(Call call) {
  try {
    call();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kInvalidArgument);
    return e.what();
  }
  return "";
}

TEST(ProjectionTest, CArmShowsThePatientAsRadiologistsDo) {
  const auto front = project_c_arm(arm_at(0), "a");
  // From behind the back to the chest; magnified by 1100 / 720.
  EXPECT_NEAR(front.source()[1], 720.0, 1e-9);
  const double px_per_mm = 1100.0 / 720.0 / 0.2;
  const auto middle = front.project({0, 0, 0});
  EXPECT_NEAR(middle[0], 511.5, 1e-9);
  EXPECT_NEAR(middle[1], 511.5, 1e-9);
  EXPECT_NEAR(front.project({10, 0, 0})[0], 511.5 + 10 * px_per_mm, 1e-9);  // Left is right.
  EXPECT_NEAR(front.project({0, 0, 10})[1], 511.5 - 10 * px_per_mm, 1e-9);  // The head is up.
  EXPECT_NEAR(front.depth_mm({0, -100, 0}), 820.0, 1e-9);                   // Chest farther.
  // LAO 90: the detector at the patient's left, the chest at the left side of the image.
  const auto left = project_c_arm(arm_at(90), "b");
  EXPECT_NEAR(left.source()[0], -720.0, 1e-9);
  EXPECT_LT(left.project({0, -10, 0})[0], 511.5);
  // Cranial 30: the detector towards the head.
  const auto cranial = project_c_arm(arm_at(0, 30), "c");
  EXPECT_NEAR(cranial.source()[2], -360.0, 1e-9);
  EXPECT_GT(cranial.project({0, 0, -10})[1], 511.5);
}

TEST(ProjectionTest, MatrixMayHaveAnyScaleAndSign) {
  const auto reference = project_c_arm(arm_at(30, 10), "a");
  auto matrix = reference.matrix();
  for (auto& row : matrix) {
    for (double& value : row) value *= -0.037;
  }
  const Projection other(matrix, "b");
  for (size_t k = 0; k < 3; ++k) EXPECT_NEAR(other.source()[k], reference.source()[k], 1e-6);
  const auto second = project_c_arm(arm_at(-30, 10), "a");
  const BiplaneRig one(reference, second), two(other, second);
  EXPECT_NEAR(two.angle_deg(), one.angle_deg(), 1e-6);
  EXPECT_NEAR(two.view(0).depth_mm({1, 2, 3}), reference.depth_mm({1, 2, 3}), 1e-6);
}

TEST(ProjectionTest, JacobianIsTheDerivative) {
  const auto view = project_c_arm(arm_at(-40, 20), "a");
  const Vec3 x{12, -7, 30};
  const auto rows = view.jacobian(x);
  for (size_t k = 0; k < 3; ++k) {
    Vec3 up = x, down = x;
    up[k] += 1e-3;
    down[k] -= 1e-3;
    for (size_t r = 0; r < 2; ++r) {
      const double slope = (view.project(up)[r] - view.project(down)[r]) / 2e-3;
      EXPECT_NEAR(rows[r][k], slope, 1e-6);
    }
  }
}

TEST(BiplaneRigTest, EpipolarLinesHoldTheOtherViewsPoint) {
  Rng rng(3);
  const BiplaneRig rig(project_c_arm(arm_at(-30, 5), "a"), project_c_arm(arm_at(55, -20), "b"));
  for (int i = 0; i < 20; ++i) {
    const Vec3 x{rng.uniform(-60, 60), rng.uniform(-60, 60), rng.uniform(-60, 60)};
    const auto a = rig.view(0).project(x), b = rig.view(1).project(x);
    const auto in_b = rig.epipolar_line(1, a), in_a = rig.epipolar_line(0, b);
    EXPECT_NEAR(in_b[0] * b[0] + in_b[1] * b[1] + in_b[2], 0.0, 1e-6);
    EXPECT_NEAR(in_a[0] * a[0] + in_a[1] * a[1] + in_a[2], 0.0, 1e-6);
    EXPECT_NEAR(rig.mismatch_px(a, b), 0.0, 1e-6);
    const auto back = rig.triangulate(a, b);
    EXPECT_NEAR(norm(add(back.position, x, -1.0)), 0.0, 1e-6);
    EXPECT_NEAR(back.error_px, 0.0, 1e-6);
  }
}

TEST(BiplaneRigTest, MismatchHasTheDeviationOfTheNoise) {
  Rng rng(5);
  const BiplaneRig rig(project_c_arm(arm_at(0), "a"), project_c_arm(arm_at(60, 15), "b"));
  double sum = 0.0;
  constexpr int kCount = 4000;
  for (int i = 0; i < kCount; ++i) {
    const Vec3 x{rng.uniform(-60, 60), rng.uniform(-60, 60), rng.uniform(-60, 60)};
    auto a = rig.view(0).project(x), b = rig.view(1).project(x);
    for (double* value : {&a[0], &a[1], &b[0], &b[1]}) *value += rng.normal(0.0, 0.5);
    sum += std::pow(rig.mismatch_px(a, b), 2);
  }
  EXPECT_NEAR(std::sqrt(sum / kCount), 0.5, 0.03);
}

TEST(BiplaneRigTest, BadCalibrationsAreRefusedWithTheReason) {
  const auto a = project_c_arm(arm_at(0), "a");
  EXPECT_THAT(refusal([&] { BiplaneRig(a, a); }), HasSubstr("must be at least 10 mm apart, got 0"));
  // Parallel: shifted sideways, looking the same way.
  auto moved = arm_at(0);
  moved.isocentre_mm = {50, 0, 0};
  EXPECT_THAT(refusal([&] { BiplaneRig(a, project_c_arm(moved, "b")); }),
              HasSubstr("must cross at 10 to 170 degrees, got 0.00"));
  EXPECT_THAT(refusal([&] { BiplaneRig(a, project_c_arm(arm_at(180), "b")); }),
              HasSubstr("got 180.00"));
  auto matrix = a.matrix();
  matrix[1] = matrix[0];
  EXPECT_THAT(refusal([&] { Projection(matrix, "view B"); }),
              HasSubstr("view B: must be of rank 3"));
  EXPECT_THAT(refusal([&] { Projection(Projection::Matrix{}, "view B"); }), HasSubstr("rank 3"));
  matrix = a.matrix();
  matrix[2] = {0, 0, 0, 1};  // Parallel beams: no point source.
  EXPECT_THAT(refusal([&] { Projection(matrix, "view B"); }), HasSubstr("left 3 x 3"));
  matrix = a.matrix();
  matrix[0][3] = std::nan("");
  EXPECT_THAT(refusal([&] { Projection(matrix, "view A"); }), HasSubstr("finite"));
  auto arm = arm_at(0);
  arm.sod_mm = 1200.0;
  EXPECT_THAT(refusal([&] { static_cast<void>(project_c_arm(arm, "view A")); }),
              HasSubstr("view A: sod_mm must lie within [100, 1100] mm, got 1200"));
  arm = arm_at(std::nan(""));
  EXPECT_THAT(refusal([&] { static_cast<void>(project_c_arm(arm, "view A")); }),
              HasSubstr("primary_deg"));
}

struct Figures {
  std::vector<double> medians, worst, all, tips, reprojections, std_over_error, missing;
  int not_found = 0, reversed = 0, tips_without = 0;
};

/// Reconstructs `count` random wires from two views `angle_deg` apart.
Figures simulate(double angle_deg, double secondary_deg, int count, uint64_t seed) {
  Figures figures;
  const BiplaneRig rig(project_c_arm(arm_at(-angle_deg / 2), "a"),
                       project_c_arm(arm_at(angle_deg / 2, secondary_deg), "b"));
  for (int i = 0; i < count; ++i) {
    Rng rng(seed, static_cast<uint64_t>(i));
    const auto wire = random_wire(rng);
    // A tenth is missing in each view, at different places, and 4 % at an end of one of them.
    const double hole_a = rng.uniform(0.15, 0.7), hole_b = rng.uniform(0.15, 0.7);
    std::vector<Hidden> hidden_a{{hole_a, hole_a + 0.1}}, hidden_b{{hole_b, hole_b + 0.1}};
    const int cut = static_cast<int>(rng.below(3));
    if (cut == 1) hidden_a.push_back({0.0, 0.04});
    if (cut == 2) hidden_b.push_back({0.96, 1.0});
    const auto a = see_wire(rig.view(0), wire, 0.5, hidden_a, i % 2 == 0, rng);
    const auto b = see_wire(rig.view(1), wire, 0.5, hidden_b, i % 2 == 0, rng);
    const auto found = reconstruct_curve(rig, a, b, {});
    if (!found.found) {
      ++figures.not_found;
      continue;
    }
    std::vector<double> errors;
    for (const auto& p : found.points) errors.push_back(distance_to_wire(p, wire));
    figures.medians.push_back(median_of(errors));
    figures.worst.push_back(*std::max_element(errors.begin(), errors.end()));
    figures.all.insert(figures.all.end(), errors.begin(), errors.end());
    figures.reprojections.push_back(found.reprojection[0].rms_px);
    figures.reprojections.push_back(found.reprojection[1].rms_px);
    for (size_t k = 0; k < errors.size(); ++k) {
      figures.std_over_error.push_back(errors[k] / found.std_mm[k]);
    }
    // Where the wire is, is there a curve?
    std::vector<double> uncovered;
    for (size_t k = 0; k < wire.size(); k += 10) {
      uncovered.push_back(distance_to_wire(wire[k], found.points));
    }
    figures.missing.push_back(
        static_cast<double>(
            std::count_if(uncovered.begin(), uncovered.end(), [](double d) { return d > 2.0; })) /
        static_cast<double>(uncovered.size()));
    figures.reversed += found.reversed ? 1 : 0;
    if (found.tip) {
      figures.tips.push_back(norm(add(*found.tip, wire.back(), -1.0)));
    } else {
      ++figures.tips_without;
    }
  }
  return figures;
}

void check(const char* name, const Figures& f, int count) {
  std::cout << name << ": median error " << median_of(f.all) << " mm, 95 % below "
            << percentile_of(f.all, 0.95) << ", 99 % below " << percentile_of(f.all, 0.99)
            << "; medians of the " << f.medians.size() << " curves: middle " << median_of(f.medians)
            << ", highest " << percentile_of(f.medians, 1.0)
            << "; largest error of a curve: middle " << median_of(f.worst) << ", 95 % below "
            << percentile_of(f.worst, 0.95) << "; tip: middle " << median_of(f.tips)
            << ", 95 % below " << percentile_of(f.tips, 0.95) << " mm (" << f.tips.size()
            << " seen); reprojection " << median_of(f.reprojections)
            << " px; error over std: middle " << median_of(f.std_over_error) << ", 95 % below "
            << percentile_of(f.std_over_error, 0.95) << "; uncovered "
            << 100.0 * std::accumulate(f.missing.begin(), f.missing.end(), 0.0) /
                   static_cast<double>(f.missing.size())
            << " % of the wires; not found " << f.not_found << ", reversed " << f.reversed << "\n";
  EXPECT_EQ(f.not_found, 0);
  EXPECT_LE(f.reversed, count / 50);
  EXPECT_LT(median_of(f.all), 0.5);
  EXPECT_LT(percentile_of(f.medians, 0.95), 0.5);
  EXPECT_LT(percentile_of(f.all, 0.95), 1.0);
  EXPECT_LT(median_of(f.tips), 0.5);
  EXPECT_GT(median_of(f.reprojections), 0.3);
  EXPECT_LT(median_of(f.reprojections), 0.7);
}

TEST(BiplaneCurveTest, SimulatedPairsAt90Degrees) {
  check("90 degrees", simulate(90.0, 0.0, 60, 11), 60);
}

TEST(BiplaneCurveTest, SimulatedPairsAt60Degrees) {
  check("60 degrees", simulate(60.0, 20.0, 60, 12), 60);
}

/// Both views see the whole wire, without noise unless told.
std::array<ViewCurve, 2> see_both(const BiplaneRig& rig,
                                  const std::vector<Vec3>& wire,
                                  double noise_px = 0.0) {
  Rng rng(1);
  return {see_wire(rig.view(0), wire, noise_px, {}, false, rng),
          see_wire(rig.view(1), wire, noise_px, {}, false, rng)};
}

BiplaneRig square_rig() {
  return {project_c_arm(arm_at(-45), "a"), project_c_arm(arm_at(45), "b")};
}

TEST(BiplaneCurveTest, PartAlongTheEpipolarLinesIsBridgedSmoothlyAndCalledUncertain) {
  // With both arms in one plane, epipolar lines are nearly horizontal: a wire that comes down, runs
  // 25 mm across the body and goes down again.
  std::vector<Vec3> wire;
  for (double s = 0.0; s <= 100.0; s += 0.1) {
    const double x = s < 40.0 ? -12.5 : (s < 65.0 ? s - 52.5 : 12.5);
    const double z = s < 40.0 ? 40.0 - s : (s < 65.0 ? 0.0 : 65.0 - s);
    wire.push_back({x, 0.3 * x, z});
  }
  const auto rig = square_rig();
  const auto seen = see_both(rig, wire, 0.5);
  const auto found = reconstruct_curve(rig, seen[0], seen[1], {});
  ASSERT_TRUE(found.found) << found.reason;
  std::vector<double> errors;
  double across = 0.0, along = 0.0;
  for (size_t i = 0; i < found.points.size(); ++i) {
    errors.push_back(distance_to_wire(found.points[i], wire));
    const Vec3& p = found.points[i];
    if (std::abs(p[0]) < 6.0) across = std::max(across, found.std_mm[i]);
    if (p[2] > 10.0 && p[2] < 30.0) along = std::max(along, found.std_mm[i]);
  }
  EXPECT_LT(median_of(errors), 0.5);
  EXPECT_LT(percentile_of(errors, 1.0), 3.0);
  EXPECT_GT(across, 3.0 * along);  // Says where it is not sure.
  EXPECT_TRUE(found.tip);
}

TEST(BiplaneCurveTest, PartThatOneViewMissesComesFromTheOtherAndIsMarked) {
  Rng rng(21);
  const auto rig = square_rig();
  const auto wire = random_wire(rng);
  const auto a = see_wire(rig.view(0), wire, 0.3, {{0.4, 0.55}}, true, rng);
  const auto b = see_wire(rig.view(1), wire, 0.3, {}, true, rng);
  const auto found = reconstruct_curve(rig, a, b, {});
  ASSERT_TRUE(found.found);
  const auto weak = static_cast<double>(std::count(found.seen_in.begin(), found.seen_in.end(), 2));
  EXPECT_NEAR(weak / static_cast<double>(found.seen_in.size()), 0.15, 0.04);
  for (const auto& p : found.points) EXPECT_LT(distance_to_wire(p, wire), 2.0);
}

TEST(BiplaneCurveTest, EndThatOneViewMissesHasNoTipButAReason) {
  Rng rng(22);
  const auto rig = square_rig();
  const auto wire = random_wire(rng);
  const auto a = see_wire(rig.view(0), wire, 0.3, {}, false, rng);
  const auto b = see_wire(rig.view(1), wire, 0.3, {{0.7, 1.0}}, false, rng);
  const auto found = reconstruct_curve(rig, a, b, {});
  ASSERT_TRUE(found.found);
  EXPECT_FALSE(found.tip);
  EXPECT_EQ(found.tip_reason, "view A does not show the end that view B shows");
  EXPECT_NEAR(found.used[0], 0.7, 0.15);
  EXPECT_GT(found.used[1], 0.95);
  for (const auto& p : found.points) EXPECT_LT(distance_to_wire(p, wire), 2.0);
}

TEST(BiplaneCurveTest, LineInTheOtherOrderIsFoundAndItsTipDoubted) {
  Rng rng(23);
  const auto rig = square_rig();
  const auto wire = random_wire(rng);
  auto seen = see_both(rig, wire, 0.3);
  std::reverse(seen[1].points.begin(), seen[1].points.end());
  const auto found = reconstruct_curve(rig, seen[0], seen[1], {});
  ASSERT_TRUE(found.found);
  EXPECT_TRUE(found.reversed);
  EXPECT_FALSE(found.tip);
  EXPECT_THAT(found.tip_reason, HasSubstr("disagree"));
  for (const auto& p : found.points) EXPECT_LT(distance_to_wire(p, wire), 1.0);
}

TEST(BiplaneCurveTest, LinesThatDontBelongTogetherGiveNothing) {
  const auto rig = square_rig();
  // One wire at the head, the other at the feet: no epipolar line meets both.
  std::vector<Vec3> head, feet;
  for (double s = 0.0; s <= 30.0; s += 0.1) {
    head.push_back({s - 15.0, 0.0, 40.0 + 0.5 * s});
    feet.push_back({s - 15.0, 0.0, -60.0 + 0.5 * s});
  }
  const auto a = see_both(rig, head)[0], b = see_both(rig, feet)[1];
  const auto found = reconstruct_curve(rig, a, b, {});
  EXPECT_FALSE(found.found);
  EXPECT_FALSE(found.reason.empty());
  EXPECT_TRUE(found.points.empty());
  // Nothing to see, and too little.
  EXPECT_FALSE(reconstruct_curve(rig, {}, b, {}).found);
  const ViewCurve dot{.points = {{500, 500}, {501, 500}}, .seen = {1, 1}};
  EXPECT_FALSE(reconstruct_curve(rig, dot, dot, {}).found);
  EXPECT_THAT(refusal([&] {
                static_cast<void>(reconstruct_curve(rig, {.points = {{1, 2}}, .seen = {}}, b, {}));
              }),
              HasSubstr("a flag a point"));
}

}  // namespace
}  // namespace voxloom::infer
