// The WEISS / UCL set: HDF5 files of the published shapes with frames of 4x3, and NPY dumps.
#include <algorithm>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "voxloom/dataset/picture_file.h"
#include "voxloom/io/hdf5_array.h"

#include "../io/hdf5_fixtures.h"
#include "replicas.h"

namespace voxloom::dataset {
namespace {

using testing::error_of;
using testing::has_text;
using ::testing::HasSubstr;
using testing::prepare_set;
using testing::sample_of;
using testing::TempFolder;
using voxloom::testing::write_hdf5;

constexpr uint64_t kHeight = 3, kWidth = 4, kPixels = kHeight * kWidth;

/// Grey of a frame's pixels, in 0-255.
int grey(uint64_t frame, uint64_t pixel) {
  return static_cast<int>((frame * 7 + pixel * 13) % 250);
}

template <class T>
std::vector<T> images(uint64_t count, double scale) {
  std::vector<T> out;
  for (uint64_t f = 0; f < count; ++f) {
    for (uint64_t p = 0; p < kPixels; ++p) {
      for (int c = 0; c < 3; ++c) {
        // The outer copies differ a little.
        out.push_back(static_cast<T>((grey(f, p) + (c == 1 ? 0 : 1)) / scale));
      }
    }
  }
  return out;
}

/// Frame f has the device in pixel f % 12.
std::vector<float> labels(uint64_t count) {
  std::vector<float> out;
  for (uint64_t f = 0; f < count; ++f) {
    for (uint64_t p = 0; p < kPixels; ++p) {
      const float device = p == f % kPixels ? 1.0F : 0.0F;
      out.push_back(device);
      out.push_back(1.0F - device);
    }
  }
  return out;
}

void write_labels(const std::filesystem::path& path, uint64_t count, uint64_t height = kHeight) {
  write_hdf5<float>(
      path, "label", {count, height, kWidth * kHeight / height, 2}, labels(count), true);
}

TEST(WeissReaderTest, SequencesAreTakenByNumberAndTheLastTwoSealed) {
  const TempFolder folder;
  const auto root = folder / "weiss";
  std::filesystem::create_directories(root);
  write_hdf5<uint8_t>(
      root / "T3-T6.hdf5", "test", {771, kHeight, kWidth, 3}, images<uint8_t>(771, 1.0), true);
  write_labels(root / "T3-T6_label.hdf5", 771);
  EXPECT_EQ(find_reader("auto", root).name, "weiss");
  const auto made = prepare_set(root);
  ASSERT_EQ(made.samples.size(), 771U);
  EXPECT_EQ(made.roles.at(Role::kNone).samples, 400);
  EXPECT_EQ(made.roles.at(Role::kSealed).samples, 371);
  EXPECT_EQ(made.roles.at(Role::kNone).pixels[static_cast<size_t>(WireClass::kDevice)], 400);
  const auto count = [&](const char* name) {
    return std::ranges::count(made.samples, std::string(name), &Sample::sequence);
  };
  EXPECT_EQ(count("T5"), 143);
  EXPECT_EQ(count("T6"), 228);
  // T4's frame 7 is number 207; the middle channel comes out as it was.
  const Sample& sample = sample_of(made, "T4/0007");
  EXPECT_EQ(sample.image.extension(), ".png");
  const auto image = load_sample(sample);
  for (uint64_t p = 0; p < kPixels; ++p) {
    EXPECT_EQ(image.image[p], static_cast<float>(grey(207, p)) / 255.0F);
    EXPECT_EQ(image.mask[p], p == 207 % kPixels ? static_cast<uint8_t>(WireClass::kDevice) : 0);
  }
  EXPECT_EQ(sample_of(made, "T5/0000").role, Role::kSealed);
  EXPECT_THAT(sample_of(made, "T5/0000").image.string(), HasSubstr("/sealed/image/T5/0000"));
  EXPECT_THAT(sample_of(made, "T3/0199").image.string(), ::testing::Not(HasSubstr("sealed")));
  EXPECT_TRUE(has_text(made.notes, "T1: the published set has 286 frames, got 0"));
  EXPECT_FALSE(has_text(made.notes, "T5"));
}

TEST(WeissReaderTest, FloatsStayFloatsUnlessTheyAreSteps) {
  const TempFolder folder;
  const auto root = folder / "weiss";
  std::filesystem::create_directories(root);
  write_labels(root / "T1T2_label.hdf5", 436);
  // In 0-255, whole numbers.
  write_hdf5<float>(
      root / "T1T2.hdf5", "train_img", {436, kHeight, kWidth, 3}, images<float>(436, 1.0), false);
  const auto whole = prepare_set(root);
  EXPECT_EQ(whole.samples[300].sequence, "T2");
  EXPECT_EQ(whole.samples[300].frame, 14);
  EXPECT_EQ(whole.samples[300].image.extension(), ".png");
  EXPECT_EQ(read_picture(whole.samples[300].image).pixels[5],
            static_cast<float>(grey(300, 5)) / 255.0F);
  // In 0-1, not of 256 steps.
  auto fine = images<float>(436, 255.0);
  for (float& v : fine) v = v * 0.9731F;
  write_hdf5<float>(root / "T1T2.hdf5", "train_img", {436, kHeight, kWidth, 3}, fine, false);
  const auto made = prepare_set(root, "weiss", Overwrite::kReplace);
  EXPECT_EQ(made.samples[300].image.extension(), ".npy");
  EXPECT_EQ(read_picture(made.samples[300].image).pixels[5], fine[(300 * kPixels + 5) * 3 + 1]);
}

TEST(WeissReaderTest, WhatDoesNotFitIsRefused) {
  const TempFolder folder;
  const auto root = folder / "weiss";
  std::filesystem::create_directories(root);
  const auto file = root / "T1T2.hdf5", label = root / "T1T2_label.hdf5";
  const auto error = [&] { return error_of([&] { static_cast<void>(prepare_set(root)); }); };
  const auto write = [&](const std::vector<uint8_t>& values, uint64_t count) {
    write_hdf5<uint8_t>(file, "train_img", {count, kHeight, kWidth, 3}, values, true);
  };
  const auto good = images<uint8_t>(436, 1.0);
  write(good, 436);
  EXPECT_THAT(error(), HasSubstr("T1T2_label.hdf5': must be there with the labels of T1T2.hdf5"));
  write_labels(label, 435);
  EXPECT_THAT(error(), HasSubstr("436 of 4x3, got 435 of 4x3"));
  write_labels(label, 436, 2);
  EXPECT_THAT(error(), HasSubstr("436 of 4x3, got 436 of 6x2"));
  // The border between T1 and T2 is only known by number.
  write(images<uint8_t>(400, 1.0), 400);
  write_labels(label, 400);
  EXPECT_THAT(error(), HasSubstr("must have 436 frames, by whose numbers"));

  write(good, 436);
  auto inverted = labels(436);
  for (float& v : inverted) v = 1.0F - v;
  write_hdf5<float>(label, "label", {436, kHeight, kWidth, 2}, inverted, false);
  EXPECT_THAT(error(), HasSubstr("channel 0 must be the device, got 11 of 12 pixels inside"));
  auto odd = labels(436);
  odd[2 * kPixels * 5] = 0.25F;
  write_hdf5<float>(label, "label", {436, kHeight, kWidth, 2}, odd, false);
  EXPECT_THAT(error(), HasSubstr("frame 5: labels must be 0 and 1 (or 255), got 0.25"));

  write_labels(label, 436);
  auto coloured = good;
  coloured[10] = 200;
  write(coloured, 436);
  EXPECT_THAT(error(), HasSubstr("frame 0: channels must be near-equal copies"));
  write_hdf5<uint8_t>(file, "train_img", {436, kPixels}, std::vector<uint8_t>(436 * kPixels), true);
  EXPECT_THAT(error(), HasSubstr("must be [N, H, W, 3] or [N, H, W]"));
  EXPECT_TRUE(std::filesystem::is_empty(root.string() + "-out"));
}

TEST(WeissReaderTest, TruncatedFilesAreNamed) {
  const TempFolder folder;
  const auto root = folder / "weiss";
  std::filesystem::create_directories(root);
  const auto file = root / "T1T2.hdf5";
  write_hdf5<uint8_t>(
      file, "train_img", {436, kHeight, kWidth, 3}, images<uint8_t>(436, 1.0), true);
  write_labels(root / "T1T2_label.hdf5", 436);
  const auto size = std::filesystem::file_size(file);
  for (const auto left : {size - 100, size / 2, size / 10, uintmax_t{60}, uintmax_t{0}}) {
    std::filesystem::resize_file(file, left);
    EXPECT_THAT(error_of([&] { static_cast<void>(prepare_set(root)); }),
                HasSubstr("T1T2.hdf5': must be a readable HDF5 file, got: "))
        << left;
  }
}

TEST(WeissReaderTest, DumpsOfOneFileAFrameAreReadToo) {
  const TempFolder folder;
  const auto root = folder / "dumps";
  std::filesystem::create_directories(root);
  const auto write = [&](const std::string& name, const std::vector<float>& values) {
    write_npy(root / (name + ".npy"),
              make_array<float>("", {kHeight, kWidth}, std::span(values)),
              Overwrite::kReplace);
  };
  std::vector<float> mask(kPixels, 0.0F);
  mask[3] = 1.0F;
  for (const char* name : {"T3_%_test0000", "T5_%_test0002", "%_train0001"}) {
    std::string image = name, label = name;
    image.replace(image.find('%'), 1, "image");
    label.replace(label.find('%'), 1, "label");
    write(image, std::vector<float>(kPixels, 0.25F));
    write(label, mask);
  }
  EXPECT_EQ(find_reader("auto", root).name, "weiss");
  const auto made = prepare_set(root);
  ASSERT_EQ(made.samples.size(), 3U);
  EXPECT_EQ(sample_of(made, "T5/0002").role, Role::kSealed);
  EXPECT_EQ(sample_of(made, "Phantom/0001").role, Role::kNone);
  EXPECT_EQ(load_sample(sample_of(made, "T3/0000")).mask[3],
            static_cast<uint8_t>(WireClass::kDevice));
  mask[4] = 0.5F;
  write("T3_label_test0000", mask);
  std::filesystem::remove(root / "label_train0001.npy");
  EXPECT_THAT(error_of([&] { static_cast<void>(prepare_set(root, "weiss", Overwrite::kReplace)); }),
              ::testing::AllOf(HasSubstr("T3_label_test0000.npy': labels must be 0 and 1, got 0.5"),
                               HasSubstr("must have a label 'label_train0001.npy'")));
}

}  // namespace
}  // namespace voxloom::dataset
