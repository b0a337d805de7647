#include "voxloom/dataset/guard.h"

#include <algorithm>
#include <iterator>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "voxloom/core/error.h"
#include "voxloom/core/sha256.h"

#include "dataset_fixtures.h"

namespace voxloom::dataset {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// Frames of one sequence, each with bytes of its own.
std::vector<Sample> frames(const std::string& dataset,
                           const std::string& subset,
                           const std::string& sequence,
                           int64_t count,
                           Role role) {
  std::vector<Sample> out;
  for (int64_t i = 0; i < count; ++i) {
    Sample sample;
    sample.dataset = dataset;
    sample.subset = subset;
    sample.sequence = sequence;
    sample.frame = i;
    sample.id = format("{}/{}/{}", subset, sequence, i);
    sample.sha256_image = sha256_hex(dataset + sample.id);
    sample.role = role;
    out.push_back(std::move(sample));
  }
  return out;
}

void add(std::vector<Sample>& to, const std::vector<Sample>& more) {
  to.insert(to.end(), more.begin(), more.end());
}

std::string number(const char* prefix, int64_t i) {
  return format("{}{:02d}", prefix, i);
}

/// Every set as the rules want it.
std::vector<Sample> good_sets() {
  std::vector<Sample> out = frames("CathAction", "animal_train", "0001", 2, Role::kTrain);
  add(out, frames("CathAction", "animal_test", "0001", 2, Role::kValExtra));
  for (int64_t i = 0; i < 30; ++i) {
    add(out, frames("MOSXAV", "trainval", number("v", i), 2, Role::kFinetune));
  }
  const int64_t test[] = {50, 33, 33, 24, 50, 19, 14, 42, 59, 54, 56, 54};
  for (int64_t i = 0; i < 12; ++i) {
    add(out, frames("MOSXAV", "test", number("v", i), test[i], Role::kVal));
  }
  add(out, frames("WEISS", "", "T5", 143, Role::kSealed));
  add(out, frames("WEISS", "", "T6", 228, Role::kSealed));
  for (const char* name : {"T1", "T2", "T3", "T4", "Phantom"}) {
    add(out, frames("WEISS", "", name, 2, Role::kNone));
  }
  add(out, frames("FGANet", "", "video1", 2, Role::kSealed));
  add(out, frames("MINE", "train", "run1", 2, Role::kTrain));
  return out;
}

/// The good sets with every sample that `which` picks changed by `change`.
template <class Which, class Change>
std::vector<Sample> changed(const Which& which, const Change& change) {
  auto samples = good_sets();
  for (auto& sample : samples) {
    if (which(sample)) change(sample);
  }
  return samples;
}

auto of(const char* dataset, const char* sequence) {
  return [=](const Sample& s) { return s.dataset == dataset && s.sequence == sequence; };
}

auto role(Role to) {
  return [=](Sample& s) { s.role = to; };
}

/// The one violation of these samples.
std::string violation(const std::vector<Sample>& samples) {
  const auto report = check_hold_out(samples);
  EXPECT_THAT(report.violations, SizeIs(1));
  return report.violations.empty() ? "" : finding_text(report.violations.front());
}

TEST(GuardTest, TheSetsAsPublishedAreGood) {
  const auto report = check_hold_out(good_sets());
  EXPECT_THAT(report.violations, IsEmpty())
      << (report.violations.empty() ? "" : finding_text(report.violations[0]));
  EXPECT_THAT(report.notes, IsEmpty());
  EXPECT_EQ(error_of([&] { refuse_violations(report, "data"); }), "no error");
}

TEST(GuardTest, R1CathActionTrainsAndItsTestFoldersMayBeReported) {
  EXPECT_EQ(violation(changed([](const Sample& s) { return s.subset == "animal_train"; },
                              role(Role::kVal))),
            "R1: CathAction 'animal_train' must be train, got val (samples "
            "CathAction:animal_train/0001/0, CathAction:animal_train/0001/1); keep the roles of "
            "'wire prepare' for this set");
  // Numbers of its own test folders are no validation.
  EXPECT_THAT(violation(changed([](const Sample& s) { return s.subset == "animal_test"; },
                                role(Role::kVal))),
              HasSubstr("R1: CathAction 'animal_test' must be train or val_extra, got val"));
  auto both = good_sets();
  add(both, frames("CathAction", "animal_test", "0002", 1, Role::kTrain));
  EXPECT_THAT(violation(both),
              HasSubstr("R1: CathAction 'animal_test' must be train or val_extra as a whole"));
  EXPECT_THAT(check_hold_out(changed([](const Sample& s) { return s.subset == "animal_test"; },
                                     role(Role::kTrain)))
                  .violations,
              IsEmpty());
}

TEST(GuardTest, R2MosxavTrainvalFinetunesWithThirtySequences) {
  EXPECT_THAT(violation(changed(
                  [](const Sample& s) { return s.subset == "trainval" && s.sequence == "v07"; },
                  role(Role::kTrain))),
              HasSubstr("R2: MOSXAV 'trainval' must be finetune, got train (samples "
                        "MOSXAV:trainval/v07/0, "));
  auto fewer = good_sets();
  std::erase_if(fewer,
                [](const Sample& s) { return s.subset == "trainval" && s.sequence == "v29"; });
  EXPECT_EQ(violation(fewer),
            "R2: MOSXAV 'trainval' must have 30 sequences, got 29; fetch the whole set, or say "
            "--incomplete where parts are meant");
  EXPECT_THAT(violation(changed([](const Sample& s) { return s.subset == "trainval"; },
                                [](Sample& s) { s.subset = "train"; })),
              HasSubstr("R2: a subset of MOSXAV must be trainval or test, got 'train'"));
}

TEST(GuardTest, R3MosxavTestValidatesWithAllItsFrames) {
  EXPECT_THAT(
      violation(changed([](const Sample& s) { return s.dataset == "MOSXAV" && s.subset == "test"; },
                        role(Role::kFinetune))),
      HasSubstr("R3: MOSXAV 'test' must be val, got finetune"));
  auto fewer = good_sets();
  std::erase_if(fewer, [](const Sample& s) {
    return s.subset == "test" && ((s.sequence == "v03" && s.frame == 23) || s.sequence == "v11");
  });
  add(fewer, frames("MOSXAV", "test", "v12", 2, Role::kVal));
  EXPECT_THAT(violation(fewer),
              HasSubstr("R3: MOSXAV 'test' must have sequences v00 to v11 with 488 frames, got 435 "
                        "frames: v03 has 23 of 24, v11 has 0 of 54, v12 has 2 of 0;"));
}

TEST(GuardTest, R4WeissT5AndT6StaySealed) {
  const auto text = violation(changed(of("WEISS", "T5"), role(Role::kVal)));
  EXPECT_THAT(text,
              AllOf(HasSubstr("R4: WEISS T5 must be sealed, got val (samples WEISS:/T5/0, "),
                    HasSubstr(" and 139 more)")));
  auto fewer = good_sets();
  std::erase_if(fewer, [](const Sample& s) { return s.sequence == "T6" && s.frame >= 200; });
  EXPECT_THAT(violation(fewer),
              HasSubstr("R4: WEISS T5 and T6 must have 371 frames, got 343: T6 has 200 of 228"));
}

TEST(GuardTest, R5FgaNetStaysSealedAndItsAbsenceIsSaid) {
  EXPECT_THAT(violation(changed(of("FGANet", "video1"), role(Role::kTrain))),
              HasSubstr("R5: FGANet must be sealed, got train"));
  auto without = good_sets();
  std::erase_if(without, [](const Sample& s) { return s.dataset == "FGANet"; });
  const auto report = check_hold_out(without);
  EXPECT_THAT(report.violations, IsEmpty());
  ASSERT_THAT(report.notes, SizeIs(1));
  EXPECT_THAT(finding_text(report.notes[0]), HasSubstr("R5: the sealed set is WEISS T5/T6 only"));
  EXPECT_THAT(report_notes(without),
              ElementsAre(HasSubstr("WEISS T5/T6 only"),
                          HasSubstr("MOSXAV has no guidewire class"),
                          HasSubstr("WEISS labels don't tell guidewire from catheter")));
}

TEST(GuardTest, R6OtherWeissSequencesTrainAtMostAndThatIsSaid) {
  const auto trained = check_hold_out(changed(of("WEISS", "T2"), role(Role::kTrain)));
  EXPECT_THAT(trained.violations, IsEmpty());
  ASSERT_THAT(trained.notes, SizeIs(1));
  EXPECT_THAT(finding_text(trained.notes[0]), HasSubstr("R6: WEISS T1 to T4 or Phantom train"));
  EXPECT_THAT(violation(changed(of("WEISS", "Phantom"), role(Role::kVal))),
              HasSubstr("R6: WEISS Phantom must be none or train, got val"));
  EXPECT_THAT(violation(changed(of("WEISS", "T1"), [](Sample& s) { s.sequence = "t1"; })),
              HasSubstr("R6: a sequence of WEISS must be one of T1 to T6 and Phantom, got 't1'"));
}

TEST(GuardTest, R7ASequenceHasOneRole) {
  auto samples = good_sets();
  add(samples, frames("MINE", "val", "run1", 1, Role::kVal));
  EXPECT_EQ(violation(samples),
            "R7: a sequence must have one role, got 1 in two: 'MINE/run1' (train, val) (samples "
            "MINE:train/run1/0, MINE:val/run1/0); move whole sequences to one role");
  // What nothing reads leaks nothing.
  samples.back().role = Role::kNone;
  EXPECT_THAT(check_hold_out(samples).violations, IsEmpty());
}

TEST(GuardTest, R7AFileHasOneRole) {
  auto samples = good_sets();
  auto copy = frames("MINE", "val", "other", 1, Role::kVal);
  copy[0].sha256_image = samples.back().sha256_image;
  add(samples, copy);
  EXPECT_THAT(violation(samples),
              AllOf(HasSubstr("R7: an image file must have one role, got 1 in two"),
                    HasSubstr("(samples MINE:train/run1/1, MINE:val/other/0); remove the copies")));
  // Files without a hash are not equal to each other.
  for (auto& sample : samples) sample.sha256_image.clear();
  EXPECT_THAT(check_hold_out(samples).violations, IsEmpty());
}

TEST(GuardTest, R10BackgroundsDoNotComeFromSealedImages) {
  auto samples = good_sets();
  const auto sealed = std::ranges::find(samples, Role::kSealed, &Sample::role)->sha256_image;
  auto painted = frames("Synthetic", "", "s1", 2, Role::kTrain);
  painted[1].sha256_background = sealed;
  add(samples, painted);
  EXPECT_EQ(violation(samples),
            "R10: backgrounds must not come from sealed images, got 1 that do (sample "
            "Synthetic:/s1/1); make synthetic images on pictures of training sets or on none");
  samples.back().sha256_background = samples.front().sha256_image;
  EXPECT_THAT(check_hold_out(samples).violations, IsEmpty());
}

TEST(GuardTest, OtherSpellingsOfASetAreThatSet) {
  for (const char* name : {"fganet", "FGA-Net", "FGA_NET"}) {
    EXPECT_THAT(violation(frames(name, "", "video1", 2, Role::kTrain)),
                HasSubstr("R5: FGANet must be sealed, got train"))
        << name;
  }
  EXPECT_THAT(check_hold_out(frames("FGANet2", "", "video1", 2, Role::kTrain)).violations,
              IsEmpty());
}

TEST(GuardTest, PartsOfASetAreNotedWhereTheyAreMeant) {
  const auto samples = frames("MOSXAV", "trainval", "v00", 2, Role::kFinetune);
  EXPECT_THAT(check_hold_out(samples).violations, SizeIs(1));
  const auto report = check_hold_out(samples, Completeness::kParts);
  EXPECT_THAT(report.violations, IsEmpty());
  ASSERT_THAT(report.notes, SizeIs(1));
  EXPECT_THAT(report.notes[0].found, HasSubstr("must have 30 sequences, got 1"));
}

TEST(GuardTest, RefusingListsEveryViolation) {
  auto samples = good_sets();
  for (auto& sample : samples) {
    if (sample.dataset == "FGANet" || sample.subset == "animal_train") sample.role = Role::kVal;
  }
  EXPECT_THAT(
      error_of([&] { refuse_violations(check_hold_out(samples), "manifest 'a'"); }),
      AllOf(HasSubstr("manifest 'a': the hold-out rules must hold, got 2 violations:\n  R1: "),
            HasSubstr("\n  R5: ")));
}

TEST(GuardTest, SequencesKeepApartWhatIsNumberedApart) {
  Sample sample;
  sample.dataset = "mosxav";
  sample.subset = "test";
  EXPECT_EQ(sequence_key(sample), "");
  sample.sequence = "v00";
  EXPECT_EQ(sequence_key(sample), "MOSXAV/test/v00");
  sample.dataset = "ROSSA";
  EXPECT_EQ(sequence_key(sample), "ROSSA/v00");
  sample.dataset = "Simulator";
  sample.image = "sim/image/v00/00001.png";
  EXPECT_EQ(sequence_key(sample), "sim/image/v00");
}

}  // namespace
}  // namespace voxloom::dataset
