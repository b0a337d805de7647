#include "voxloom/train/schedule.h"

#include <cmath>
#include <numbers>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "voxloom/core/error.h"

namespace voxloom::train {
namespace {

TrainerOptions with(ScheduleKind kind) {
  TrainerOptions options;
  options.schedule = kind;
  return options;
}

TEST(ScheduleTest, ConstantStaysAtOne) {
  for (const int64_t step : {0, 5, 99}) {
    EXPECT_DOUBLE_EQ(schedule_factor(with(ScheduleKind::kConstant), step, 100, 0), 1.0);
  }
}

TEST(ScheduleTest, WarmUpRisesLinearlyToTheFullRateThenTheScheduleStarts) {
  TrainerOptions options = with(ScheduleKind::kCosine);
  options.warmup_steps = 4;
  EXPECT_DOUBLE_EQ(schedule_factor(options, 0, 24, 0), 0.25);
  EXPECT_DOUBLE_EQ(schedule_factor(options, 3, 24, 0), 1.0);
  EXPECT_DOUBLE_EQ(schedule_factor(options, 4, 24, 0), 1.0);
  EXPECT_NEAR(schedule_factor(options, 14, 24, 0), 0.5, 1e-12);
}

TEST(ScheduleTest, CosineEndsAtTheFloor) {
  TrainerOptions options = with(ScheduleKind::kCosine);
  options.min_lr_factor = 0.1;
  EXPECT_NEAR(schedule_factor(options, 25, 100, 0),
              0.1 + 0.9 * 0.5 * (1 + std::cos(std::numbers::pi / 4)),
              1e-12);
  EXPECT_NEAR(schedule_factor(options, 100, 100, 0), 0.1, 1e-12);
}

TEST(ScheduleTest, PolyHasThePowerNineTenths) {
  EXPECT_NEAR(schedule_factor(with(ScheduleKind::kPoly), 60, 100, 0), std::pow(0.4, 0.9), 1e-12);
}

TEST(ScheduleTest, OneCycleGivesTheValuesOfPyTorch) {
  // torch.optim.lr_scheduler.OneCycleLR(max_lr=1, total_steps=20) with its defaults: 0.04 at step
  // 0, the top at step 0.3 * 20 - 1 = 5, the middle of the descent at 12, 4e-6 at the last step.
  const TrainerOptions options = with(ScheduleKind::kOneCycle);
  EXPECT_NEAR(schedule_factor(options, 0, 20, 0), 0.04, 1e-12);
  EXPECT_NEAR(schedule_factor(options, 5, 20, 0), 1.0, 1e-12);
  EXPECT_NEAR(schedule_factor(options, 12, 20, 0), (1.0 + 4e-6) / 2, 1e-12);
  EXPECT_NEAR(schedule_factor(options, 19, 20, 0), 4e-6, 1e-12);
}

TEST(ScheduleTest, PlateauMultipliesOnceForEachDrop) {
  TrainerOptions options = with(ScheduleKind::kPlateau);
  options.plateau_factor = 0.5;
  EXPECT_DOUBLE_EQ(schedule_factor(options, 9, 100, 3), 0.125);
}

TEST(TrainerOptionsTest, EveryFieldComesBackFromJson) {
  TrainerOptions options;
  OptionList list;
  options.visit(list);
  auto json = list.to_json();
  json["optimiser"] = "rmsprop";
  json["schedule"] = "one-cycle";
  json["amp"] = "fp16";
  json["metric_mode"] = "max";
  json["ema_decay"] = 0.99;
  list.read_json(json, "test");
  EXPECT_EQ(options.optimiser, OptimiserKind::kRmsprop);
  EXPECT_EQ(options.schedule, ScheduleKind::kOneCycle);
  EXPECT_EQ(options.amp, Amp::kFp16);
  EXPECT_EQ(options.metric_mode, MetricMode::kMax);
  EXPECT_EQ(list.to_json(), json);
}

TEST(TrainerOptionsTest, RefusesPatienceWithoutValidations) {
  TrainerOptions options;
  options.patience = 3;
  options.validate_every = 0;
  EXPECT_THROW(options.validate(), Error);
}

}  // namespace
}  // namespace voxloom::train
