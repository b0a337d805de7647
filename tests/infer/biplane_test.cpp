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
  check("90 degrees", simulate(90.0, 0.0, 120, 11), 120);
}

TEST(BiplaneCurveTest, SimulatedPairsAt60Degrees) {
  check("60 degrees", simulate(60.0, 20.0, 120, 12), 120);
}

}  // namespace
}  // namespace voxloom::infer
