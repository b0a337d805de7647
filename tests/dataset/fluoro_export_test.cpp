#include "voxloom/dataset/fluoro_export.h"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "voxloom/core/error.h"
#include "voxloom/core/sha256.h"
#include "voxloom/dataset/curve_truth.h"
#include "voxloom/dataset/dose_class.h"
#include "voxloom/image/rle.h"
#include "voxloom/io/raster.h"

namespace voxloom::dataset {
namespace {

namespace fs = std::filesystem;

class FluoroExportTest : public ::testing::Test {
 protected:
  FluoroExportTest() {
    job_.folder = fs::temp_directory_path() / ("voxloom-fluoro-" + std::to_string(::getpid()));
    fs::create_directories(job_.folder);
    job_.options.size = 96;
    job_.options.frames = 3;
    job_.options.without_wire = 0.0;
    job_.sequences = 2;
    job_.seed = 8;
    job_.split = "val";
  }
  ~FluoroExportTest() override { fs::remove_all(job_.folder); }

  FluoroExport job_;
  Progress progress_;
  CancelToken stop_;
};

TEST_F(FluoroExportTest, FilesHoldWhatTheSequenceGivesInMemory) {
  const auto result = export_fluoro(job_, progress_, stop_);
  ASSERT_EQ(result.samples.size(), 6U);
  for (int64_t s = 0; s < 2; ++s) {
    FluoroSequence sequence(job_.options, fluoro_sequence_seed(8, "val", s), s);
    for (int64_t i = 0; i < 3; ++i) {
      const auto& sample = result.samples[static_cast<size_t>(3 * s + i)];
      const FluoroFrame f = sequence.frame(i);
      const auto image = io::read_raster(sample.image), label = io::read_raster(sample.mask);
      ASSERT_EQ(image.pixels.size(), f.frame.pixels.size());
      ASSERT_EQ(label.pixels.size(), f.mask.size());
      for (size_t k = 0; k < f.mask.size(); ++k) {
        ASSERT_EQ(std::to_integer<uint8_t>(label.pixels[k]), f.mask[k]);
        ASSERT_NEAR(std::to_integer<int>(image.pixels[k]),
                    static_cast<double>(f.frame.pixels[k]) * 255.0,
                    1e-3);
      }
      EXPECT_EQ(sample.frame, i);
      EXPECT_EQ(sample.role, Role::kVal);
      EXPECT_EQ(sample.sha256_image, sha256_file(sample.image));
      EXPECT_EQ(sample.sha256_mask, sha256_file(sample.mask));
      EXPECT_EQ(sample.bright_object, sequence.parameters().inverted);
    }
  }
}

TEST_F(FluoroExportTest, ManifestAndTruthCanBeReadBack) {
  export_fluoro(job_, progress_, stop_);
  std::ifstream manifest(job_.folder / "manifest.jsonl");
  std::string line, lines;
  ASSERT_TRUE(std::getline(manifest, line));
  const auto header = nlohmann::json::parse(line);
  int64_t samples = 0;
  while (std::getline(manifest, line)) {
    lines += line + "\n";
    const auto json = nlohmann::json::parse(line);
    EXPECT_TRUE(fs::is_regular_file(job_.folder / json.at("image").get<std::string>()));
    EXPECT_TRUE(fs::is_regular_file(job_.folder / json.at("mask").get<std::string>()));
    EXPECT_GT(json.at("pixel_mm").get<double>(), 0.0);
    EXPECT_EQ(json.at("classes").at("1"), "guidewire");
    ++samples;
  }
  EXPECT_EQ(header.at("samples"), samples);
  EXPECT_EQ(header.at("fingerprint"), sha256_hex(lines));

  std::ifstream truth(job_.folder / "label/val_00000/sequence.json");
  const auto json = nlohmann::json::parse(truth);
  ASSERT_EQ(json.at("frames").size(), 3U);
  FluoroSequence sequence(job_.options, fluoro_sequence_seed(8, "val", 0), 0);
  EXPECT_EQ(json.at("parameters").at("wire_mm"), sequence.parameters().wire_mm);
  const FluoroFrame f = sequence.frame(0);
  const auto& rle = json.at("frames").at(0).at("rle");
  EXPECT_EQ(rle.at("size").dump(), "[96,96]");
  const auto mask =
      image::decode_rle(image::rle_from_string(rle.at("counts").get<std::string>(), 96, 96));
  for (size_t k = 0; k < mask.size(); ++k) {
    ASSERT_EQ(mask[k] != 0, f.mask[k] == static_cast<uint8_t>(WireClass::kGuidewire));
  }
  const auto& wires = json.at("frames").at(0).at("wires");
  ASSERT_EQ(wires.size(), f.wires.size());
  for (size_t w = 0; w < wires.size(); ++w) {
    ASSERT_EQ(wires[w].at("centre_line").size(), f.wires[w].stretches.size());
    for (size_t k = 0; k < f.wires[w].stretches.size(); ++k) {
      const auto& points = wires[w].at("centre_line")[k].at("points");
      ASSERT_EQ(points.size(), f.wires[w].stretches[k].points.size());
      EXPECT_NEAR(points[0][0].get<float>(), f.wires[w].stretches[k].points[0][0], 0.01F);
    }
    EXPECT_EQ(wires[w].at("visible"), f.wires[w].visible);
    EXPECT_EQ(wires[w].at("tip").is_null(), !f.wires[w].tip.has_value());
  }
}

TEST_F(FluoroExportTest, CurveFilesAreReadBack) {
  job_.options.size = 256;
  job_.options.dose_ngy = "1000";
  job_.sequences = 4;
  const auto result = export_fluoro(job_, progress_, stop_);
  int64_t tips = 0;
  for (const auto& sample : result.samples) {
    EXPECT_GT(sample.dose_ngy, 0.0);
    const auto curves = read_curves(sample.curves);
    ASSERT_EQ(std::ssize(curves), job_.options.frames);
    const auto& frame = curves[static_cast<size_t>(sample.frame)];
    if (!frame.tip) continue;
    ++tips;
    EXPECT_TRUE(frame.wire_visible);
    EXPECT_GE((*frame.tip)[0], -0.5);
    EXPECT_LT((*frame.tip)[0], static_cast<double>(job_.options.size));
  }
  EXPECT_GT(tips, 0);
}

TEST_F(FluoroExportTest, BadCurveFilesAreRefused) {
  const auto file = job_.folder / "bad.json";
  fs::create_directories(job_.folder);
  for (const char* text : {"{", "{}", R"({"frames":[{}]})", R"({"frames":[{"wire_visible":1}]})"}) {
    std::ofstream(file) << text;
    EXPECT_THROW(static_cast<void>(read_curves(file)), Error) << text;
  }
}

TEST(DoseClassTest, LimitsBelongToTheLowerClass) {
  EXPECT_EQ(dose_class_name(dose_class(10.0)), "up to 10 nGy");
  EXPECT_EQ(dose_class_name(dose_class(10.1)), "10 to 20 nGy");
  EXPECT_EQ(dose_class_name(dose_class(100.0)), "45 to 100 nGy");
  EXPECT_EQ(dose_class_name(dose_class(101.0)), "over 100 nGy");
}

TEST_F(FluoroExportTest, HistogramCountsEveryWirePixelOnce) {
  const auto result = export_fluoro(job_, progress_, stop_);
  int64_t pixels = 0, counted = 0;
  for (const auto& sample : result.samples) {
    for (const auto b : io::read_raster(sample.mask).pixels) {
      pixels += b == std::byte{static_cast<uint8_t>(WireClass::kGuidewire)} ? 1 : 0;
    }
  }
  const auto histogram = result.histogram.to_json();
  for (const auto& dose : histogram.at("doses")) {
    for (const auto& count : dose.at("counts")) counted += count.get<int64_t>();
  }
  EXPECT_GT(pixels, 0);
  EXPECT_EQ(counted, pixels);
}

TEST_F(FluoroExportTest, ExistingFilesAreKeptAndAStopLeavesNoManifest) {
  export_fluoro(job_, progress_, stop_);
  EXPECT_THROW(export_fluoro(job_, progress_, stop_), Error);
  EXPECT_TRUE(fs::exists(job_.folder / "manifest.jsonl"));
  job_.overwrite = Overwrite::kReplace;
  stop_.cancel();
  EXPECT_THROW(export_fluoro(job_, progress_, stop_), Error);
  EXPECT_FALSE(fs::exists(job_.folder / "manifest.jsonl"));
}

}  // namespace
}  // namespace voxloom::dataset
