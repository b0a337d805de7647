// Header facts of X-ray runs: times, size of a pixel, polarity, window.
#include "voxloom/io/dicom_xa.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dicom_fixture.h"

namespace voxloom::io {
namespace {

/// A run of three frames of 6 x 4 pixels; `edit` is called last.
std::filesystem::path write_run(const std::string& name,
                                const std::function<void(DcmDataset&)>& edit) {
  DcmFileFormat file;
  auto& d = *file.getDataset();
  auto values = slice_values(0);
  for (int z = 1; z < 3; ++z) {
    const auto more = slice_values(z);
    values.insert(values.end(), more.begin(), more.end());
  }
  fill_slice(d, {}, values);
  d.findAndDeleteElement(DCM_PixelSpacing);
  d.putAndInsertString(DCM_SOPClassUID, UID_XRayAngiographicImageStorage);
  d.putAndInsertString(DCM_Modality, "XA");
  d.putAndInsertString(DCM_NumberOfFrames, "3");
  edit(d);
  const auto path = std::filesystem::temp_directory_path() / ("voxloom-xa-" + name + ".dcm");
  EXPECT_TRUE(file.saveFile(path.string().c_str(), EXS_LittleEndianExplicit).good());
  return path;
}

XaInfo read_run(const std::string& name, const std::function<void(DcmDataset&)>& edit) {
  const auto path = write_run(name, edit);
  auto info = read_xa_info(path);
  std::filesystem::remove(path);
  return info;
}

TEST(DicomXaTest, TheVectorOfFrameTimesIsSummedUp) {
  const auto info = read_run("vector", [](DcmDataset& d) {
    d.putAndInsertString(DCM_FrameTimeVector, "0\\66.5\\133.5");
    d.putAndInsertString(DCM_FrameTime, "10");
  });
  EXPECT_EQ(info.frames, 3);
  EXPECT_THAT(
      info.frame_times_s,
      testing::ElementsAre(0.0, testing::DoubleNear(0.0665, 1e-9), testing::DoubleNear(0.2, 1e-9)));
}

TEST(DicomXaTest, OneFrameTimeOrARateIsEnough) {
  EXPECT_NEAR(read_run("time", [](DcmDataset& d) { d.putAndInsertString(DCM_FrameTime, "40"); })
                  .frame_times_s[2],
              0.08,
              1e-12);
  EXPECT_NEAR(read_run("rate", [](DcmDataset& d) { d.putAndInsertString(DCM_CineRate, "10"); })
                  .frame_times_s[2],
              0.2,
              1e-12);
  EXPECT_NEAR(read_run("none", [](DcmDataset&) {}).frame_times_s[1], 1.0 / 15.0, 1e-12);
}

TEST(DicomXaTest, ImagerSpacingIsDividedByTheMagnification) {
  const auto stated = read_run("stated", [](DcmDataset& d) {
    d.putAndInsertString(DCM_ImagerPixelSpacing, "0.3\\0.3");
    d.putAndInsertString(DCM_EstimatedRadiographicMagnificationFactor, "1.25");
  });
  EXPECT_NEAR(stated.pixel_mm, 0.24, 1e-12);
  const auto distances = read_run("distances", [](DcmDataset& d) {
    d.putAndInsertString(DCM_ImagerPixelSpacing, "0.3\\0.3");
    d.putAndInsertString(DCM_DistanceSourceToDetector, "1200");
    d.putAndInsertString(DCM_DistanceSourceToPatient, "800");
  });
  EXPECT_NEAR(distances.pixel_mm, 0.2, 1e-12);
  EXPECT_EQ(read_run("unknown", [](DcmDataset&) {}).pixel_mm, 0.0);
}

TEST(DicomXaTest, PolarityAndWindowAreRead) {
  const auto info = read_run("window", [](DcmDataset& d) {
    d.putAndInsertString(DCM_PhotometricInterpretation, "MONOCHROME1");
    d.putAndInsertString(DCM_WindowCenter, "128");
    d.putAndInsertString(DCM_WindowWidth, "256");
  });
  EXPECT_TRUE(info.inverted);
  ASSERT_TRUE(info.window);
  EXPECT_THAT(*info.window, testing::ElementsAre(0.0, 256.0));
}

TEST(DicomXaTest, TimesThatRunBackwardsAreRefused) {
  const auto path = write_run(
      "back", [](DcmDataset& d) { d.putAndInsertString(DCM_FrameTimeVector, "0\\66\\-5"); });
  EXPECT_THROW(static_cast<void>(read_xa_info(path)), Error);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace voxloom::io
