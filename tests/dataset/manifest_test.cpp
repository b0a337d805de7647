#include "voxloom/dataset/manifest.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "voxloom/core/sha256.h"
#include "voxloom/dataset/class_map_json.h"

#include "dataset_fixtures.h"

namespace voxloom::dataset {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using testing::TempFolder;

std::vector<Sample> two_samples(const std::filesystem::path& folder) {
  Sample a;
  a.id = "run3/0012";
  a.dataset = "MINE";
  a.subset = "train";
  a.sequence = "run3";
  a.frame = 12;
  a.image = folder / "x" / "image.png";
  a.mask = folder / "x" / "mask.png";
  a.sha256_image = sha256_hex(std::string_view("image"));
  a.sha256_mask = sha256_hex(std::string_view("mask"));
  a.role = Role::kFinetune;
  a.pixel_mm = 0.1953125;
  a.bright_object = true;
  a.dose_ngy = 20.5;
  a.curves = folder / "x" / "sequence.json";
  a.classes = parse_class_map("0=background,1=catheter,128-255=guidewire");
  Sample b = a;
  b.id = "run4/0001";
  b.role = Role::kSealed;
  b.mask.clear();
  b.dose_ngy = 0.0;
  b.curves.clear();
  b.sha256_mask.clear();
  b.classes = empty_class_map();
  return {a, b};
}

/// A manifest of these lines with a right first line.
std::string with_header(const std::string& lines, int count) {
  return std::string(R"({"voxloom_manifest":1,"samples":)") + std::to_string(count) +
         R"(,"fingerprint":")" + sha256_hex(lines) + "\"}\n" + lines;
}

TEST(ManifestTest, EveryFieldComesBack) {
  const TempFolder folder;
  const auto samples = two_samples(folder.path());
  write_manifest(samples, folder / "a.jsonl", Overwrite::kRefuse);
  const Manifest got = read_manifest(folder / "a.jsonl");
  ASSERT_EQ(got.samples.size(), 2U);
  for (size_t i = 0; i < 2; ++i) {
    const Sample &want = samples[i], &have = got.samples[i];
    EXPECT_EQ(have.id, want.id);
    EXPECT_EQ(have.dataset, want.dataset);
    EXPECT_EQ(have.subset, want.subset);
    EXPECT_EQ(have.sequence, want.sequence);
    EXPECT_EQ(have.frame, want.frame);
    EXPECT_EQ(have.image, want.image);
    EXPECT_EQ(have.mask, want.mask);
    EXPECT_EQ(have.sha256_image, want.sha256_image);
    EXPECT_EQ(have.sha256_mask, want.sha256_mask);
    EXPECT_EQ(have.role, want.role);
    EXPECT_EQ(have.pixel_mm, want.pixel_mm);
    EXPECT_EQ(have.bright_object, want.bright_object);
    EXPECT_EQ(have.dose_ngy, want.dose_ngy);
    EXPECT_EQ(have.curves, want.curves);
    EXPECT_EQ(have.classes, want.classes);
  }
  EXPECT_EQ(got.fingerprint.size(), 64U);
  EXPECT_EQ(with_role(got.samples, Role::kSealed).size(), 1U);
}

TEST(ManifestTest, MovesTogetherWithItsData) {
  const TempFolder folder;
  std::filesystem::create_directories(folder / "old/x");
  write_manifest(two_samples(folder / "old"), folder / "old/a.jsonl", Overwrite::kRefuse);
  std::filesystem::rename(folder / "old", folder / "new");
  EXPECT_EQ(read_manifest(folder / "new/a.jsonl").samples[0].image, folder / "new/x/image.png");
}

TEST(ManifestTest, AnEditedOrCutFileIsRefused) {
  const TempFolder folder;
  std::string text = format_manifest(two_samples(folder.path()), folder.path());
  const auto parse = [&](const std::string& t) {
    return error_of([&] { static_cast<void>(parse_manifest(t, folder.path(), "m.jsonl")); });
  };
  EXPECT_EQ(parse(text), "no error");
  EXPECT_THAT(parse(text.substr(0, text.size() - 5)), HasSubstr("cut off or changed"));
  text.replace(text.find("sealed"), 6, "train ");
  EXPECT_THAT(parse(text), HasSubstr("manifest 'm.jsonl' line 1: the fingerprint must be"));
}

TEST(ManifestTest, ErrorsNameTheLineAndTheField) {
  const std::string good =
      R"({"id":"a","dataset":"D","sequence":"s","frame":0,"image":"a.png","sha256_image":"","role":"train"})"
      "\n";
  const struct {
    const char *from, *to, *message;
  } cases[] = {
      {"\"frame\":0", "\"frame\":0.5", "line 3: 'frame': must be a whole number"},
      {"\"frame\":0", "\"frame\":18446744073709551615", "'frame': must be a whole number"},
      {"\"role\":\"train\"", "\"role\":\"test\"", "role: must be one of none, train, finetune"},
      {"\"id\":\"a\",", "", "'id': must be there"},
      {"\"image\"", "\"picture\"", "'image': must be there"},
      {"}", ",\"spacing\":1}", "known fields only, got 'spacing'"},
      {"}", ",\"dose_ngy\":-1}", "'dose_ngy': must be 0 or positive"},
      {"\"sha256_image\":\"\"", "\"sha256_image\":\"XY\"", "must be 64 hexadecimal digits"},
      {"}", ",\"mask\":\"m.png\"}", "'classes': must be there"},
      {"}", ",\"mask\":\"m.png\",\"classes\":{\"0-300\":\"vessel\"}}", "within [0, 255]"},
      {"}",
       ",\"mask\":\"m.png\",\"classes\":{\"0\":\"bone\"}}",
       "class: must be one of background"},
      {"}", ",\"classes\":{}}", "'classes' and 'sha256_mask' must come with a 'mask'"},
      {"}", ",\"classes\":[[[[[[1]]]]]]}", "nested"},
      {"\"id\":\"a\"", "\"id\":\"first\"", "'id': must be unique, got 'first' again"},
  };
  std::string first = good;
  first.replace(first.find("\"a\""), 3, "\"first\"");
  for (const auto& c : cases) {
    std::string line = good;
    line.replace(line.find(c.from), std::string_view(c.from).size(), c.to);
    const std::string text = with_header(first + line, 2);
    EXPECT_THAT(error_of([&] { static_cast<void>(parse_manifest(text, "/d", "m")); }),
                HasSubstr(c.message))
        << line;
  }
  EXPECT_THAT(
      error_of([&] { static_cast<void>(parse_manifest(with_header(first, 2), "/d", "m")); }),
      HasSubstr("must hold 2 samples, got 1"));
  EXPECT_THAT(error_of([&] { static_cast<void>(parse_manifest("", "/d", "m")); }),
              HasSubstr("manifest 'm' line 1: must be valid JSON"));
}

TEST(ClassMapTest, RangesComeBack) {
  const ClassMap map = parse_class_map("0=background,3=other_device,128-255=vessel");
  EXPECT_EQ(map[0], 0);
  EXPECT_EQ(map[1], kUnknownClass);
  EXPECT_EQ(map[128], static_cast<uint8_t>(WireClass::kVessel));
  EXPECT_EQ(class_map_to_json(map).dump(),
            R"({"0":"background","3":"other_device","128-255":"vessel"})");
  EXPECT_EQ(class_map_from_json(class_map_to_json(map)), map);
  EXPECT_THAT(error_of([] { static_cast<void>(parse_class_map("0=background,0-3=vessel")); }),
              HasSubstr("must be named once, got 0"));
  EXPECT_THAT(error_of([] { static_cast<void>(parse_class_map("vessel")); }),
              HasSubstr("must be ID=CLASS"));
}

}  // namespace
}  // namespace voxloom::dataset
