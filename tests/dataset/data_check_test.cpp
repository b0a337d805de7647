#include "voxloom/dataset/data_check.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "voxloom/core/random.h"
#include "voxloom/core/sha256.h"
#include "voxloom/dataset/data_check_report.h"
#include "voxloom/dataset/manifest.h"

#include "dataset_fixtures.h"

namespace voxloom::dataset {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using testing::error_of;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using testing::TempFolder;
using testing::write_grey;

constexpr int64_t kWidth = 36, kHeight = 24;

/// 9x8 random cells: pictures of different seeds differ in about half of the bits.
std::vector<uint8_t> cells(uint64_t seed) {
  Rng rng(seed);
  std::vector<uint8_t> grid(72), out(kWidth * kHeight);
  for (auto& v : grid) v = static_cast<uint8_t>(20 + rng.below(200));
  for (int64_t y = 0; y < kHeight; ++y) {
    for (int64_t x = 0; x < kWidth; ++x) {
      out[static_cast<size_t>(y * kWidth + x)] = grid[static_cast<size_t>(y / 3 * 9 + x / 4)];
    }
  }
  return out;
}

class DataCheckTest : public ::testing::Test {
 protected:
  Sample& add(const std::string& sequence, int64_t frame, Role role, uint64_t seed) {
    Sample sample;
    sample.dataset = "MINE";
    sample.id = sequence + "/" + std::to_string(frame);
    sample.sequence = sequence;
    sample.frame = frame;
    sample.role = role;
    sample.image = folder_ / (sequence + std::to_string(frame) + ".png");
    sample.mask = folder_ / (sequence + std::to_string(frame) + "_mask.png");
    sample.classes = unified_class_map();
    write_grey(sample.image, kWidth, kHeight, cells(seed));
    write_grey(sample.mask, kWidth, kHeight, std::vector<uint8_t>(kWidth * kHeight, 1));
    samples_.push_back(sample);
    return samples_.back();
  }
  /// Checks a manifest of the samples as the files are now.
  DataCheck check() {
    for (auto& sample : samples_) {
      sample.sha256_image = sha256_file(sample.image);
      sample.sha256_mask = sha256_file(sample.mask);
    }
    write_manifest(samples_, folder_ / "m.jsonl", Overwrite::kReplace);
    return check_again();
  }
  [[nodiscard]] DataCheck check_again() const {
    Progress silent;
    return check_data({folder_ / "m.jsonl"},
                      SealedRegister(folder_ / "register"),
                      Completeness::kWhole,
                      silent,
                      {});
  }

  TempFolder folder_;
  std::vector<Sample> samples_;
};

TEST_F(DataCheckTest, GoodDataIsGood) {
  for (int64_t i = 0; i < 3; ++i) {
    add("a", i, Role::kTrain, 1);  // A video that stands still is no leak.
    add("b", i, Role::kVal, 100 + static_cast<uint64_t>(i));
  }
  const auto got = check();
  EXPECT_TRUE(got.good()) << check_table(got);
  EXPECT_THAT(check_table(got),
              AllOf(HasSubstr("train           3 samples, 1 sequences\n"),
                    HasSubstr("nothing wrong was found\n")));
  EXPECT_EQ(check_json(got)["good"], true);
}

TEST_F(DataCheckTest, TheSamePictureAgainIsFoundInAnotherRole) {
  add("a", 0, Role::kTrain, 1);
  add("a", 1, Role::kTrain, 2);
  add("a", 2, Role::kTrain, 1);
  add("b", 0, Role::kVal, 3);
  add("b", 1, Role::kVal, 1);
  // Brighter and with another contrast: other bytes, another file, the same picture.
  auto pixels = cells(1);
  for (auto& v : pixels) v = static_cast<uint8_t>(v / 2 + 90);
  write_grey(samples_[4].image, kWidth, kHeight, pixels);
  const auto got = check();
  EXPECT_FALSE(got.good());
  ASSERT_THAT(got.near_duplicates, SizeIs(1));
  EXPECT_EQ(got.near_duplicates[0].pairs, 2);
  EXPECT_EQ(got.near_duplicates[0].a, 0U);
  EXPECT_EQ(got.near_duplicates[0].b, 4U);
  EXPECT_LE(got.near_duplicates[0].distance, 4);
  ASSERT_THAT(got.rules.violations, SizeIs(1));
  EXPECT_THAT(
      check_table(got),
      AllOf(HasSubstr("violation  R7: pictures of two roles must differ in more than 4 bits "
                      "of their perceptual hash, got 1 pair of sequences that don't"),
            HasSubstr("  near     MINE:a/0 (train) and MINE:b/1 (val): "),
            HasSubstr("closest of 2 pairs of their sequences")));
  const auto html = check_html(got, 10);
  EXPECT_THAT(html, AllOf(HasSubstr("alt=\"MINE:a/0\""), HasSubstr("alt=\"MINE:b/1\"")));
  EXPECT_THAT(check_html(got, 0), Not(HasSubstr("<img")));
  // The whole sequence that trains goes; what measures stays.
  const auto kept = without_near_duplicates(got);
  ASSERT_THAT(kept, SizeIs(2));
  EXPECT_EQ(kept[0].id, "b/0");
  // In a role that nothing reads it harms nobody.
  samples_[4].role = Role::kNone;
  EXPECT_TRUE(check().good());
}

TEST_F(DataCheckTest, SimulationsMayLookAlike) {
  add("a", 0, Role::kTrain, 1).dataset = "Simulator";
  add("b", 0, Role::kVal, 1).dataset = "Simulator";
  auto pixels = cells(1);
  pixels[0] = 0;
  write_grey(samples_[1].image, kWidth, kHeight, pixels);
  // Both lie in one folder here, which would be one sequence.
  for (auto& sample : samples_) sample.sequence.clear();
  const auto got = check();
  EXPECT_TRUE(got.good()) << check_table(got);
  EXPECT_THAT(got.near_duplicates, IsEmpty());
  EXPECT_THAT(check_table(got), HasSubstr("note       R7: 1 pair of simulated sequences"));
  samples_[1].dataset = "MINE";
  EXPECT_THAT(check().near_duplicates, SizeIs(1));
}

TEST_F(DataCheckTest, FilesThatCannotBeUsedAreListed) {
  for (int64_t i = 0; i < 6; ++i) {
    add("s" + std::to_string(i), i, Role::kTrain, static_cast<uint64_t>(i + 1));
  }
  check();
  fs::remove(samples_[0].image);
  fs::resize_file(samples_[1].image, 50);
  write_grey(samples_[2].mask, 2, 1, {0, 1});
  write_grey(samples_[3].mask, kWidth, kHeight, std::vector<uint8_t>(kWidth * kHeight, 77));
  write_grey(samples_[4].image, kWidth, kHeight, cells(99));
  const auto got = check_again();
  ASSERT_THAT(got.problems, SizeIs(5));
  const auto table = check_table(got);
  EXPECT_THAT(table, HasSubstr("file       MINE:s0/0: "));
  EXPECT_THAT(table, HasSubstr("s11.png': must be a valid PNG"));
  EXPECT_THAT(table, HasSubstr("must have the size of its image 36x24, got 2x1"));
  EXPECT_THAT(table, HasSubstr("mask ids must be known to the class map of 'MINE', got 77"));
  EXPECT_THAT(table, HasSubstr("must be the file that the manifest was made of"));
  EXPECT_THAT(table, HasSubstr("0 rule violations, 5 file problems"));
  EXPECT_FALSE(got.good());
}

TEST_F(DataCheckTest, ManifestsAreCheckedTogetherAndByWhatLiesOnTheDisk) {
  add("a", 0, Role::kTrain, 1);
  check();
  fs::rename(folder_ / "m.jsonl", folder_ / "train.jsonl");
  samples_.clear();
  add("b", 0, Role::kSealed, 2);
  check();
  Progress silent;
  const auto together = [&] {
    return check_data({folder_ / "train.jsonl", folder_ / "m.jsonl"},
                      SealedRegister(folder_ / "register"),
                      Completeness::kWhole,
                      silent,
                      {});
  };
  EXPECT_TRUE(together().good());
  // The sealed picture takes the place of the training one: the manifests still look innocent.
  fs::copy_file(folder_ / "b0.png", folder_ / "a0.png", fs::copy_options::overwrite_existing);
  const auto got = together();
  EXPECT_THAT(got.problems, SizeIs(1));
  EXPECT_THAT(check_table(got), HasSubstr("R7: an image file must have one role"));
}

TEST_F(DataCheckTest, WhatTheRegisterSealsIsFound) {
  add("a", 0, Role::kSealed, 1);
  check();
  SealedRegister(folder_ / "register").seal(folder_.path(), samples_);
  samples_[0].role = Role::kTrain;
  EXPECT_THAT(check_table(check()), HasSubstr("violation  R9: files must not be sealed ones"));
}

}  // namespace
}  // namespace voxloom::dataset
